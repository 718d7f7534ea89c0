/**
 * Whether a client sends its body fast enough. A body under way pins memory for its stripes, so that bytes that trickle in
 * must not keep it for ever; only the time counts during which we waited for the client, and not what it waited for us.
 * S3 closes such connections with RequestTimeout; its rate is not documented (see BODY_RATE_WINDOW_BYTES_MIN).
 */
import type { Clock } from '../../runtime/ports/clock.ts'

export interface BodyRateLimits {
  /** Milliseconds of waiting after which the rate is judged, again and again. */
  readonly bodyRateWindowMs: number
  /** Bytes that must have come in that time. */
  readonly bodyRateBytesMin: number
}

export class BodyRate {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #limits: BodyRateLimits
  #waitedMs = 0
  #bytes = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>, limits: BodyRateLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Begins a wait for the client; the result ends it. */
  wait(): () => void {
    const began = this.#clock.monotonicMs()
    return () => {
      this.#waitedMs += this.#clock.monotonicMs() - began
    }
  }

  received(bytes: number): void {
    this.#bytes += bytes
  }

  /** Judges the window if it is over, and begins the next. To be asked after each piece that was waited for. */
  tooSlow(): boolean {
    const { bodyRateWindowMs, bodyRateBytesMin } = this.#limits
    if (this.#waitedMs < bodyRateWindowMs) return false
    const slow = this.#bytes < bodyRateBytesMin
    this.#waitedMs = 0
    this.#bytes = 0
    return slow
  }
}
