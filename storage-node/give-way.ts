import { BACKGROUND_BUSY_REQUESTS, BACKGROUND_LOOK_MS } from '../core/limits.ts'
import type { Clock } from '../runtime/ports/clock.ts'

/** What goes before work in the background. */
export interface Foreground {
  readonly clock: Clock
  /** Requests that the node is answering, but for those in the background. */
  load(): number
}

/**
 * Stands still while the node has requests to answer, but no longer than until `latestMs` on the monotonic clock: so what is in the
 * background goes on under a load that never ends.
 *
 * @param sleep resolves to false when it was woken early
 * @returns false when it was
 */
export async function giveWay(
  foreground: Foreground,
  latestMs: number,
  sleep: (ms: number) => Promise<boolean>,
): Promise<boolean> {
  for (;;) {
    const left = latestMs - foreground.clock.monotonicMs()
    if (left <= 0 || foreground.load() < BACKGROUND_BUSY_REQUESTS) return true
    if (!(await sleep(Math.min(BACKGROUND_LOOK_MS, left)))) return false
  }
}
