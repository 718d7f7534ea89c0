import { GARBAGE_GRACE_MS, RECENT_GARBAGE_BITS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** Hex digits of one position in the filter, of which a blob's id gives three: its last 72 bits are random. */
const POSITION_DIGITS = 6
const POSITION_STARTS = [14, 20, 26]

/**
 * Which blobs became garbage lately, so that a sweep leaves them to those who may still read them. A pair of Bloom filters in
 * turn: what was added within the grace is always known, what was not is now and then taken for it, which only makes it wait.
 */
export class RecentGarbage {
  readonly #clock: Clock
  #current = new Uint8Array(RECENT_GARBAGE_BITS / 8)
  #previous = new Uint8Array(RECENT_GARBAGE_BITS / 8)
  /** When the current one was begun, on the monotonic clock. */
  #since: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#since = clock.monotonicMs()
  }

  /** @param blob its id */
  add(blob: string): void {
    this.#turn()
    for (const bit of positions(blob)) {
      const at = bit >>> 3
      this.#current[at] = (this.#current[at] ?? 0) | (1 << (bit & 7))
    }
  }

  /** True for each blob added less than the grace ago. */
  has(blob: string): boolean {
    this.#turn()
    const bits = positions(blob)
    return [this.#current, this.#previous].some((filter) =>
      bits.every((bit) => ((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0),
    )
  }

  #turn(): void {
    const age = this.#clock.monotonicMs() - this.#since
    if (age < GARBAGE_GRACE_MS) return
    const spare = this.#previous
    this.#previous = this.#current
    this.#current = spare
    spare.fill(0)
    // Nothing was added for so long that the other one is old, too.
    if (age >= 2 * GARBAGE_GRACE_MS) this.#previous.fill(0)
    this.#since += age
  }
}

function positions(blob: string): number[] {
  return POSITION_STARTS.map(
    (start) => Number.parseInt(blob.slice(start, start + POSITION_DIGITS), 16) % RECENT_GARBAGE_BITS,
  )
}
