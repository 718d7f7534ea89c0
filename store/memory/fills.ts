/** Stripes that are being filled by clients, and which of them is the slowest. */
import { STRIPE_FILL_BYTES_PER_S_MIN, STRIPE_FILL_GRACE_MS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

export interface Fill {
  /** Bytes that have come so far. */
  readonly filled: () => number
  /** To be called at most once: lets go of the memory, soon. */
  readonly giveUp: () => void
}

/**
 * Memory is held by stripes that wait for the rest of their bytes, so that a few clients who trickle could hold all of it.
 * While nobody else needs it, they may.
 */
export class Fills {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #begun = new Map<Fill, number>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** The result ends it. */
  begin(fill: Fill): () => void {
    this.#begun.set(fill, this.#clock.monotonicMs())
    return () => {
      this.#begun.delete(fill)
    }
  }

  /** Has the slowest of those give up that are slower than STRIPE_FILL_BYTES_PER_S_MIN; nothing where none is. */
  giveUpSlowest(): void {
    const now = this.#clock.monotonicMs()
    let slowest: Fill | undefined
    let least = STRIPE_FILL_BYTES_PER_S_MIN
    for (const [fill, begunMs] of this.#begun) {
      const ms = now - begunMs
      if (ms < STRIPE_FILL_GRACE_MS) continue
      const bytesPerSecond = (fill.filled() * 1000) / ms
      if (bytesPerSecond >= least) continue
      slowest = fill
      least = bytesPerSecond
    }
    if (slowest === undefined) return
    this.#begun.delete(slowest)
    slowest.giveUp()
  }
}
