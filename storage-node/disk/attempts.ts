import { READ_ONLY_PROBE_MS, READ_ONLY_PROBE_MS_MAX } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** When to try again to write: the first time at once, then less and less often. */
export class Attempts {
  readonly #clock: Clock
  #lastMs = -Infinity
  #waitMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** From the last attempt to the next. */
  get waitMs(): number {
    return this.#waitMs
  }

  /** Whether it is time for one, which is taken as made then. */
  isDue(): boolean {
    const nowMs = this.#clock.monotonicMs()
    const sinceMs = nowMs - this.#lastMs
    if (sinceMs < this.#waitMs) return false
    this.#lastMs = nowMs
    // After a long time without failure it begins anew.
    const calm = sinceMs > 2 * READ_ONLY_PROBE_MS_MAX
    this.#waitMs = calm ? READ_ONLY_PROBE_MS : Math.min(2 * this.#waitMs, READ_ONLY_PROBE_MS_MAX)
    return true
  }
}
