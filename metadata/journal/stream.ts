import { JOURNAL_SEGMENT_BYTES, JOURNAL_WAITING_BYTES_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Generation } from './blob-id.ts'
import type { BatchListener } from './journaled-engine.ts'
import { type JournalBatch, packBatch, type SegmentHead } from './segment.ts'

/** A segment that waits to be shipped. */
export interface WaitingSegment {
  readonly head: SegmentHead
  readonly batches: readonly Uint8Array[]
  readonly bytes: number
  /** When its first batch became durable, monotonic milliseconds. */
  readonly sinceMs: number
}

interface Open {
  batches: Uint8Array[]
  bytes: number
  fromMs: number
  toMs: number
  sinceMs: number
}

/**
 * The commits that are not on nodes yet, cut into segments. Bounded: past the bound it forgets them, and says so; then only a
 * new generation goes on.
 */
export class JournalStream implements BatchListener {
  readonly #clock: Clock
  readonly #full: () => void
  #generation: Generation | undefined
  #sequence = 0
  #follows: SegmentHead['follows']
  #open: Open | undefined
  #closed: WaitingSegment[] = []
  #bytes = 0
  /** When it began to lack something, monotonic milliseconds. */
  #brokenAtMs: number | undefined

  /** @param full called when there is enough for a segment */
  constructor(clock: Clock, full: () => void) {
    this.#clock = clock
    this.#full = full
    // Until the first generation there is nothing that commits could follow.
    this.#brokenAtMs = clock.monotonicMs()
  }

  get generation(): Generation | undefined {
    return this.#generation
  }

  /** Segments of the present generation so far. */
  get sequence(): number {
    return this.#sequence
  }

  get waitingBytes(): number {
    return this.#bytes
  }

  /** It lacks commits: a new generation is needed. */
  get brokenAtMs(): number | undefined {
    return this.#brokenAtMs
  }

  /** When the oldest commit that waits became durable, monotonic milliseconds. */
  get oldestMs(): number | undefined {
    return this.#closed[0]?.sinceMs ?? this.#open?.sinceMs
  }

  committed(batch: JournalBatch): void {
    if (this.#brokenAtMs !== undefined) return
    const packed = packBatch(batch)
    const nowMs = this.#clock.nowMs()
    this.#open ??= { batches: [], bytes: 0, fromMs: nowMs, toMs: nowMs, sinceMs: this.#clock.monotonicMs() }
    this.#open.batches.push(packed)
    this.#open.bytes += packed.length
    this.#open.toMs = nowMs
    this.#bytes += packed.length
    if (this.#bytes > JOURNAL_WAITING_BYTES_MAX) this.lost()
    else if (this.#open.bytes >= JOURNAL_SEGMENT_BYTES) {
      this.cut()
      this.#full()
    }
  }

  lost(): void {
    this.#brokenAtMs ??= this.oldestMs ?? this.#clock.monotonicMs()
    this.#open = undefined
    this.#closed = []
    this.#bytes = 0
  }

  /** What was committed so far is a segment of its own. */
  cut(): void {
    const open = this.#open
    if (open === undefined || this.#generation === undefined) return
    const { batches, bytes, fromMs, toMs, sinceMs } = open
    const sequence = ++this.#sequence
    const follows = sequence === 1 ? this.#follows : undefined
    const head = {
      ...this.#generation,
      sequence,
      fromMs,
      toMs,
      ...(follows === undefined ? {} : { follows }),
    }
    this.#closed.push({ head, batches, bytes, sinceMs })
    this.#open = undefined
  }

  /** What is committed from here on belongs to another generation, whose base has all that was before. */
  begin(generation: Generation): void {
    this.cut()
    const before = this.#generation
    // After a gap, nothing that follows can be put behind what was before it.
    this.#follows =
      before === undefined || this.#brokenAtMs !== undefined
        ? undefined
        : { number: before.number, life: before.life, sequence: this.#sequence }
    this.#generation = generation
    this.#sequence = 0
    this.#brokenAtMs = undefined
  }

  /** The next segment to be shipped. */
  first(): WaitingSegment | undefined {
    return this.#closed[0]
  }

  /** It is on nodes. */
  shipped(segment: WaitingSegment): void {
    if (this.#closed[0] !== segment) return
    this.#closed.shift()
    this.#bytes -= segment.bytes
  }
}
