/** When to stop waiting for a slow shard, and how often that may be done. */

import {
  HEDGE_DELAY_MS_MAX,
  HEDGE_DELAY_MS_MIN,
  HEDGE_SAMPLES,
  HEDGE_TOKENS_MAX,
  HEDGE_TOKENS_PER_READ,
} from '../../core/limits.ts'

/** Samples between two computations of the quantile. */
const RECOMPUTE_EVERY = 32

/**
 * Latencies of shard reads, and a budget. The delay is twice the 95th percentile of late: a shard later than that is late
 * for a reason. The budget (tokens earned by reads that needed no hedge) keeps hedges from doubling the load when
 * everything is slow because everything is busy.
 */
export class HedgePolicy {
  readonly #samples = new Float64Array(HEDGE_SAMPLES)
  #count = 0
  #delayMs = HEDGE_DELAY_MS_MAX / 4
  readonly #tokensMax: number
  #tokens: number
  #turns = 0

  /** @param tokensMax 0: none is ever made */
  constructor(tokensMax = HEDGE_TOKENS_MAX) {
    this.#tokensMax = tokensMax
    this.#tokens = tokensMax
  }

  /** Milliseconds to wait for a shard before fetching around it. */
  get delayMs(): number {
    return this.#delayMs
  }

  /** Notes a read that came by itself. */
  observe(latencyMs: number): void {
    this.#samples[this.#count % HEDGE_SAMPLES] = latencyMs
    this.#count++
    this.#tokens = Math.min(this.#tokensMax, this.#tokens + HEDGE_TOKENS_PER_READ)
    if (this.#count % RECOMPUTE_EVERY !== 0) return
    const sorted = this.#samples.slice(0, Math.min(this.#count, HEDGE_SAMPLES)).sort()
    const late = sorted[Math.floor(sorted.length * 0.95)] ?? HEDGE_DELAY_MS_MAX
    this.#delayMs = Math.min(HEDGE_DELAY_MS_MAX, Math.max(HEDGE_DELAY_MS_MIN, 2 * late))
  }

  /** A number that is another each time: copies of small objects are read in turn. */
  turn(): number {
    this.#turns = (this.#turns + 1) % 0x1000_0000
    return this.#turns
  }

  /** Takes a hedge out of the budget; false when it is spent. */
  spend(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
