import { JOURNAL_SEGMENT_BYTES, JOURNAL_WAITING_BYTES_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Generation } from './blob-id.ts'
import type { BatchListener } from './journaled-engine.ts'
import { type JournalBatch, packBatch, type SegmentHead } from './segment.ts'
import type { JournalPosition, Resume } from './tail.ts'

/** A segment that waits to be shipped. */
export interface WaitingSegment {
  readonly head: SegmentHead
  readonly batches: readonly Uint8Array[]
  readonly bytes: number
  /** Of its batches. */
  readonly numbers: readonly number[]
  /** When its first batch became durable, monotonic milliseconds. */
  readonly sinceMs: number
}

interface Open {
  batches: Uint8Array[]
  numbers: number[]
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
  /** Of a generation that is not begun yet. */
  #unnamed: Open[] = []
  #closed: WaitingSegment[] = []
  #bytes = 0
  /** When it began to lack something, monotonic milliseconds. */
  #brokenAtMs: number | undefined

  /**
   * @param full called when there is enough for a segment
   * @param resume what the first generation goes on from; undefined: until there is a base there is nothing that commits could follow
   */
  constructor(clock: Clock, full: () => void, resume?: Resume) {
    this.#clock = clock
    this.#full = full
    if (resume === undefined) {
      this.#brokenAtMs = clock.monotonicMs()
      return
    }
    const { number, life, sequence, catchUp, numbers } = resume
    this.#follows = { number, life, sequence }
    if (numbers.length === 0) return
    // All of it in one segment: between two batches of it there is no state that ever was.
    const open = this.#newOpen()
    open.numbers.push(...numbers)
    for (const batch of catchUp) this.#add(open, batch)
    this.#unnamed.push(open)
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

  get followed(): boolean {
    return this.#brokenAtMs === undefined
  }

  /** When the oldest commit that waits became durable, monotonic milliseconds. */
  get oldestMs(): number | undefined {
    return (this.#closed[0] ?? this.#unnamed[0] ?? this.#open)?.sinceMs
  }

  committed(batch: JournalBatch, number: number): void {
    if (this.#brokenAtMs !== undefined) return
    this.#open ??= this.#newOpen()
    this.#add(this.#open, batch)
    this.#open.numbers.push(number)
    this.#open.toMs = this.#clock.nowMs()
    if (this.#bytes > JOURNAL_WAITING_BYTES_MAX) this.lost()
    else if (this.#open.bytes >= JOURNAL_SEGMENT_BYTES) {
      this.cut()
      this.#full()
    }
  }

  lost(): void {
    this.#brokenAtMs ??= this.oldestMs ?? this.#clock.monotonicMs()
    this.#open = undefined
    this.#unnamed = []
    this.#closed = []
    this.#bytes = 0
  }

  /** What was committed so far is a segment of its own. */
  cut(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    if (this.#generation === undefined) this.#unnamed.push(open)
    else this.#close(open, this.#generation)
  }

  /** Sees that the present generation has a segment, be it empty: what follows it has something to stand behind. */
  mark(): void {
    if (this.#generation === undefined || this.#brokenAtMs !== undefined) return
    this.cut()
    if (this.#sequence === 0) this.#close(this.#newOpen(), this.#generation)
  }

  /** What is committed from here on belongs to another generation, whose base has all that was before. */
  begin(generation: Generation): void {
    this.mark()
    const before = this.#generation
    if (this.#brokenAtMs !== undefined) this.#follows = undefined
    else if (before !== undefined) {
      this.#follows = { number: before.number, life: before.life, sequence: this.#sequence }
    }
    this.#generation = generation
    this.#sequence = 0
    this.#brokenAtMs = undefined
    // After a gap, nothing that follows can be put behind what was before it.
    for (const open of this.#unnamed.splice(0)) this.#close(open, generation)
  }

  /** The next segment to be shipped. */
  first(): WaitingSegment | undefined {
    return this.#closed[0]
  }

  /** It is on nodes. */
  shipped(segment: WaitingSegment): JournalPosition | undefined {
    if (this.#closed[0] !== segment) return undefined
    this.#closed.shift()
    this.#bytes -= segment.bytes
    const { number, life, sequence } = segment.head
    return { number, life, sequence }
  }

  #newOpen(): Open {
    const nowMs = this.#clock.nowMs()
    return {
      batches: [],
      numbers: [],
      bytes: 0,
      fromMs: nowMs,
      toMs: nowMs,
      sinceMs: this.#clock.monotonicMs(),
    }
  }

  #add(open: Open, batch: JournalBatch): void {
    const packed = packBatch(batch)
    open.batches.push(packed)
    open.bytes += packed.length
    this.#bytes += packed.length
  }

  #close({ batches, numbers, bytes, fromMs, toMs, sinceMs }: Open, generation: Generation): void {
    const sequence = ++this.#sequence
    const follows = sequence === 1 ? this.#follows : undefined
    const head = { ...generation, sequence, fromMs, toMs, ...(follows === undefined ? {} : { follows }) }
    this.#closed.push({ head, batches, bytes, numbers, sinceMs })
  }
}
