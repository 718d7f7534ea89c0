/** How fast background work may move bytes: one bucket of tokens for all of a process. */

import { WORK_BUDGET_BURST_MS } from '../core/limits.ts'
import type { Clock } from '../runtime/ports/clock.ts'

export class Budget {
  readonly #clock: Clock
  readonly #bytesPerS: number
  /** Monotonic time at which what was taken so far is paid for. */
  #paidAt = 0

  /** @param bytesPerS 0: no limit */
  constructor(clock: Clock, bytesPerS: number) {
    this.#clock = clock
    this.#bytesPerS = bytesPerS
  }

  /**
   * Resolves when so many more bytes may be moved, those who asked first first. What nobody asks for is saved up for no more
   * than WORK_BUDGET_BURST_MS; a piece larger than that is let through, and paid for by those who come after it.
   *
   * @throws the signal's reason; what was asked for then counts all the same
   */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (this.#bytesPerS <= 0 || bytes <= 0) return
    const now = this.#clock.monotonicMs()
    const startAt = Math.max(this.#paidAt, now - WORK_BUDGET_BURST_MS)
    this.#paidAt = startAt + (bytes * 1000) / this.#bytesPerS
    if (startAt > now) await this.#clock.sleep(startAt - now, signal)
  }
}
