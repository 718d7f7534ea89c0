/**
 * Admits at most `limit` requests in any span of one second, wherever it begins, and refuses none that keeps within that.
 *
 * AWS documents figures a second and no burst ("at least 3,500 PUT/COPY/POST/DELETE or 5,500 GET/HEAD requests per second
 * per partitioned prefix"). A token bucket lets pass its rate and its burst in some second; with the least burst it refuses
 * requests of a steady stream that come a little unevenly, as all that come over a network do. So the moments of the last
 * `limit` admissions are kept, 8 bytes each: one more is admitted when the oldest of them is a second ago.
 *
 * Times are monotonic milliseconds and never go back.
 */
export class RateWindow {
  readonly #admittedMs: Float64Array
  /** The oldest of them, and the place of the next. */
  #oldest = 0

  /** @param limit requests a second, a whole number above 0 */
  constructor(limit: number) {
    this.#admittedMs = new Float64Array(limit).fill(Number.NEGATIVE_INFINITY)
  }

  admit(nowMs: number): boolean {
    const oldestMs = this.#admittedMs[this.#oldest] ?? 0
    if (nowMs - oldestMs < 1000) return false
    this.#admittedMs[this.#oldest] = nowMs
    this.#oldest = this.#oldest + 1 === this.#admittedMs.length ? 0 : this.#oldest + 1
    return true
  }
}
