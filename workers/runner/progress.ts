/** How far a piece of work is, and how fast. */

import type { MessageInitShape } from '@bufbuild/protobuf'
import { WORK_RATE_WINDOW_MS } from '../../core/limits.ts'
import type { WorkReportSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'

/** A report as it is sent. */
export type ReportInit = MessageInitShape<typeof WorkReportSchema>

export class Progress {
  readonly kind: string
  /** Blobs that are known to need work. */
  itemsWaiting = 0
  /** Bytes that this will move, as estimated. */
  bytesWaiting = 0
  /** What it is at, for people. */
  now = ''
  readonly #clock: Clock
  #itemsDone = 0
  #bytesDone = 0
  /** How much had been done when, the oldest first; at most one a second. */
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = []

  constructor(kind: string, clock: Clock) {
    this.kind = kind
    this.#clock = clock
    this.#samples.push({ atMs: clock.monotonicMs(), bytes: 0 })
  }

  get itemsDone(): number {
    return this.#itemsDone
  }

  get bytesDone(): number {
    return this.#bytesDone
  }

  /** So many more are done. */
  add(items: number, bytes: number): void {
    this.#itemsDone += items
    this.#bytesDone += bytes
  }

  /** Nothing is known to wait any more, and nothing is being done: the lease is gone, or there is nothing to do. */
  idle(now = ''): void {
    this.itemsWaiting = 0
    this.bytesWaiting = 0
    this.now = now
  }

  report(): ReportInit {
    return {
      kind: this.kind,
      itemsWaiting: BigInt(Math.round(this.itemsWaiting)),
      itemsDone: BigInt(this.#itemsDone),
      bytesWaiting: BigInt(Math.round(this.bytesWaiting)),
      bytesDone: BigInt(Math.round(this.#bytesDone)),
      bytesPerSecond: BigInt(Math.round(this.#rate())),
      now: this.now,
    }
  }

  /** Bytes a second over the last WORK_RATE_WINDOW_MS. */
  #rate(): number {
    const atMs = this.#clock.monotonicMs()
    const newest = this.#samples.at(-1)
    const due = newest === undefined || atMs - newest.atMs >= 1000
    if (due) this.#samples.push({ atMs, bytes: this.#bytesDone })
    // One sample older than the window stays, to measure from.
    for (;;) {
      const second = this.#samples[1]
      if (second === undefined || atMs - second.atMs < WORK_RATE_WINDOW_MS) break
      this.#samples.shift()
    }
    const first = this.#samples[0]
    if (first === undefined || atMs <= first.atMs) return 0
    return ((this.#bytesDone - first.bytes) * 1000) / (atMs - first.atMs)
  }
}
