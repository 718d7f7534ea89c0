/**
 * What this process itself noticed of the nodes, between two looks at their leases: a circuit breaker each for reading
 * and for writing, so that a dead node costs one failure and not one a shard.
 */

import { SLOW_READS_MAX, SUSPICION_MS_MAX, SUSPICION_MS_MIN } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

export type Use = 'read' | 'write'

interface Breaker {
  /** Monotonic milliseconds until which the node is left alone. */
  until: number
  /** Length of the next pause. */
  pauseMs: number
  /** Somebody is trying it out. */
  probing: boolean
}

export class Suspicion {
  readonly #clock: Clock
  /** Only nodes that failed and have not answered since; by use and node. */
  readonly #breakers: Readonly<Record<Use, Map<string, Breaker>>> = { read: new Map(), write: new Map() }

  /** Reads in a row for which another way was quicker, by node. */
  readonly #slow = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Whether to try the node now. When its pause is over, the first to ask is let through as the probe, and the others
   * wait one more pause, or for the probe's success.
   */
  admits(node: string, use: Use): boolean {
    const breaker = this.#breakers[use].get(node)
    if (breaker === undefined) return true
    const now = this.#clock.monotonicMs()
    if (now < breaker.until) return false
    breaker.until = now + breaker.pauseMs
    breaker.probing = true
    return true
  }

  /** Whether the node is being left alone; asks for no probe. */
  suspects(node: string, use: Use): boolean {
    const breaker = this.#breakers[use].get(node)
    return breaker !== undefined && this.#clock.monotonicMs() < breaker.until
  }

  /** A node that takes a write can be read, but one that can be read may still have a full disk. */
  succeeded(node: string, use: Use): void {
    if (this.#slow.size > 0) this.#slow.delete(node)
    if (this.#breakers.read.size > 0) this.#breakers.read.delete(node)
    if (use === 'write' && this.#breakers.write.size > 0) this.#breakers.write.delete(node)
  }

  /** Another way was quicker. Anyone may be late once: only SLOW_READS_MAX times in a row count as a failure. */
  outrun(node: string): void {
    const times = (this.#slow.get(node) ?? 0) + 1
    this.#slow.set(node, times)
    if (times < SLOW_READS_MAX) return
    this.#slow.delete(node)
    this.failed(node, 'read')
  }

  failed(node: string, use: Use): void {
    const now = this.#clock.monotonicMs()
    const breakers = this.#breakers[use]
    const breaker = breakers.get(node) ?? { until: now, pauseMs: SUSPICION_MS_MIN, probing: false }
    // Requests that were on their way together fail together: that is one failure.
    if (now < breaker.until && !breaker.probing) return
    breaker.until = now + breaker.pauseMs
    breaker.pauseMs = Math.min(SUSPICION_MS_MAX, breaker.pauseMs * 2)
    breaker.probing = false
    breakers.set(node, breaker)
  }
}
