/** `--deep`: how fast bytes may be read, and how far that is. */

import type { Clock } from '../../runtime/ports/clock.ts'
import { Budget } from '../budget.ts'

export interface ReadingProgress {
  readonly bytesRead: number
  /** Since the start. */
  readonly bytesPerSecond: number
  /** As far as what was seen shows; undefined: nothing was yet. */
  readonly bytesLeft: number | undefined
}

export class Reading {
  readonly #clock: Clock
  readonly #budget: Budget
  readonly #startedMs: number
  #shardBytes = 0
  #objectBytes = 0
  #shardsSeen = 0
  #objectsSeen = 0

  /** @param bytesPerS 0: no limit */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock
    this.#budget = new Budget(clock, bytesPerS)
    this.#startedMs = clock.monotonicMs()
  }

  /** Shards of so many bytes are there, of a blob that is of so many. */
  saw(shardBytes: number, blobBytes: number): void {
    this.#shardsSeen += shardBytes
    this.#objectsSeen += blobBytes
  }

  /** Resolves when a shard may be read. @throws the signal's reason */
  async shard(bytes: number, signal: AbortSignal): Promise<void> {
    await this.#budget.take(bytes, signal)
    this.#shardBytes += bytes
  }

  /** Resolves when more of objects may be read after so many bytes. @throws the signal's reason */
  async object(bytes: number, signal: AbortSignal): Promise<void> {
    this.#objectBytes += bytes
    await this.#budget.take(bytes, signal)
  }

  /** @param share of the nodes' blobs that was gone through, 0 to 1 */
  progress(share: number): ReadingProgress {
    const bytesRead = this.#shardBytes + this.#objectBytes
    const seconds = (this.#clock.monotonicMs() - this.#startedMs) / 1000
    const seen = this.#shardsSeen + this.#objectsSeen
    return {
      bytesRead,
      bytesPerSecond: seconds > 0 ? bytesRead / seconds : 0,
      bytesLeft: share > 0 ? Math.max(0, seen / share - bytesRead) : undefined,
    }
  }
}
