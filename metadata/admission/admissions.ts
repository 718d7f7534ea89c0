import type { Ticket } from '../../core/admission/gate.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { ADMISSION_LIFE_MS, ADMISSIONS_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'

/** A write that was admitted, and whose commit has not come yet. */
export interface Admission {
  readonly bucket: string
  readonly key: string
  /** Monotonic milliseconds. */
  readonly givenMs: number
  /** What the gate reserved for it. */
  readonly reservation: Ticket
}

/**
 * The writes that this process has admitted before their commits. Each admission is for one commit of its key, once. What was never
 * used is forgotten after its time, or when there are too many; a commit that comes with one that is not known, since it was given
 * by another process or too long ago, is like one that comes without.
 */
export class Admissions {
  readonly #clock: Clock
  readonly #random: Random
  /** By id, the oldest first. */
  readonly #open = new Map<bigint, Admission>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** @returns its id, which nobody can guess; never 0 */
  give({ bucket, key }: Position, reservation: Ticket): bigint {
    this.#forget(ADMISSIONS_MAX - 1)
    let id: bigint
    do id = Buffer.from(this.#random.bytes(8)).readBigUInt64LE()
    while (id === 0n || this.#open.has(id))
    this.#open.set(id, { bucket, key, givenMs: this.#clock.monotonicMs(), reservation })
    return id
  }

  /** Uses it up. Undefined where it is not known, or is of another key. */
  take(id: bigint, position: Position): Admission | undefined {
    this.#forget(ADMISSIONS_MAX)
    const admission = this.#open.get(id)
    if (admission?.bucket !== position.bucket || admission.key !== position.key) return undefined
    this.#open.delete(id)
    // One that was given back lies behind younger ones.
    return this.#isOver(admission) ? undefined : admission
  }

  /** It was taken for a commit that did not take place, and may come again. */
  giveBack(id: bigint, admission: Admission): void {
    this.#open.set(id, admission)
  }

  #forget(max: number): void {
    for (const [id, admission] of this.#open) {
      if (this.#open.size <= max && !this.#isOver(admission)) return
      this.#open.delete(id)
    }
  }

  #isOver({ givenMs }: Admission): boolean {
    return this.#clock.monotonicMs() - givenMs >= ADMISSION_LIFE_MS
  }
}
