import { compareBytes } from '../../core/keyspace/bytes.ts'
import { memberKey, memberSpace } from '../../core/keyspace/keys.ts'
import { MEMBER_LOOK_MS, MEMBER_MARGIN_MS, MEMBER_TTL_MS, MEMBERS_MAX } from '../../core/limits.ts'
import type { MetadataMember } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { type Engine, FencedError } from '../engine/engine.ts'
import { freeze } from '../freeze.ts'
import { decodeRecord, memberKind } from '../records.ts'

interface Seen {
  readonly member: MetadataMember
  readonly bytes: Uint8Array
  /** Monotonic time at which it was first seen as it is. */
  sinceMs: number
}

export interface MembersOptions {
  /** The coordination engine. */
  readonly engine: Engine
  readonly clock: Clock
  readonly log: Log
  /** Called after each look. */
  readonly onLook: () => void
  /** No other process can have the engine: whoever else is named is of the past. */
  readonly exclusive: boolean
  readonly self: string
}

/**
 * The metadata processes as this one sees them, by their records. One whose record has not changed for longer than its time, by this
 * process's clock, seems dead. While the engine is away nobody can renew anything, and nobody is taken for dead.
 */
export class Members {
  readonly #options: MembersOptions
  #seen = new Map<string, Seen>()
  #lookedMs: number | undefined
  #cancel: (() => void) | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: MembersOptions) {
    this.#options = options
  }

  /** Looks once, and from then on every {@link MEMBER_LOOK_MS}. */
  async start(): Promise<void> {
    await this.#look()
    this.#schedule()
  }

  /** Looks now. */
  async refresh(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look())
    await this.#looking
  }

  /** Those that are not dead, leaving ones included, in order of their ids. */
  get alive(): readonly MetadataMember[] {
    return [...this.#seen.values()].filter((seen) => !this.#isDead(seen)).map(({ member }) => member)
  }

  get(id: string): MetadataMember | undefined {
    const seen = this.#seen.get(id)
    return seen === undefined || this.#isDead(seen) ? undefined : seen.member
  }

  /** Whether it is not there, or does not seem to live: {@link expel} makes sure. */
  seemsDead(id: string): boolean {
    const seen = this.#seen.get(id)
    return seen === undefined ? this.#lookedMs !== undefined : this.#isDead(seen)
  }

  /**
   * Makes sure that a process serves no more: takes its record away, so that no renewal that is still on its way can be made. It may
   * come back the next moment, and changes the partition map then before it serves anything: whoever gives away what it owned changes
   * the map as it was before this.
   * @returns false: it lives after all
   */
  async expel(id: string): Promise<boolean> {
    const seen = this.#seen.get(id)
    const key = memberKey(id)
    // It may have come back since the last look.
    if (seen === undefined) return this.seemsDead(id) && (await this.#options.engine.get(key)) === undefined
    if (!this.#isDead(seen)) return false
    try {
      await this.#options.engine.commit({ fence: { key, token: seen.bytes }, puts: [], deletes: [key] })
    } catch (error) {
      if (error instanceof FencedError) return false
      throw error
    }
    this.#seen.delete(id)
    this.#options.log.warn('a metadata process is taken for dead', { node: id })
    return true
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#looking
  }

  /** By what was last seen: nobody grows old while nobody looks. */
  #isDead({ member, sinceMs }: Seen): boolean {
    const { exclusive, self } = this.#options
    if (exclusive) return member.id !== self
    return (this.#lookedMs ?? sinceMs) - sinceMs > member.ttlMs + MEMBER_MARGIN_MS
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(MEMBER_LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        this.#schedule()
      })
    })
  }

  async #look(): Promise<void> {
    const { engine, clock, log, onLook } = this.#options
    try {
      const begunMs = clock.monotonicMs()
      const entries = await engine.scan({ ...memberSpace(), limit: MEMBERS_MAX })
      const now = clock.monotonicMs()
      // So long nobody looked, or the engine was away: as long nobody is known not to have renewed.
      const gapMs = begunMs - (this.#lookedMs ?? begunMs)
      const missedMs = gapMs > MEMBER_TTL_MS / 2 ? gapMs : 0
      const seen = new Map<string, Seen>()
      for (const { value } of entries) {
        const member = freeze(decodeRecord(memberKind, value))
        const before = this.#seen.get(member.id)
        const same = before !== undefined && compareBytes(before.bytes, value) === 0
        seen.set(member.id, same ? before : { member, bytes: value, sinceMs: now })
        if (same) before.sinceMs += missedMs
      }
      this.#seen = seen
      this.#lookedMs = begunMs
    } catch (error) {
      log.debug('the records of metadata processes could not be read', { error })
    }
    onLook()
  }
}
