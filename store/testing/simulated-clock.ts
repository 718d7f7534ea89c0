/** Time that passes only when nothing else can happen: every test of timeouts is exact, and takes no time. */

import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../runtime/ports/clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/**
 * A discrete-event clock. While {@link drive} waits for a promise, it lets all that is ready run, and then jumps to the
 * next timer. Only for code whose waiting is promises and this clock: with worker threads or sockets, time would run ahead.
 */
export class SimulatedClock implements Clock {
  #nowMs = 0
  #order = 0
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    // An arbitrary recent moment, so that identifiers look like real ones.
    return 1_800_000_000_000 + Math.floor(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(ms: number, run: () => void): () => void {
    const timer: Timer = { at: this.#nowMs + Math.max(0, ms), order: this.#order++, run }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        cancel()
        const reason: unknown = signal?.reason
        reject(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
      }
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      })
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Lets time pass until the promise settles. @throws {Error} when it still waits after `limitMs` of simulated time */
  async drive<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let settled = false
    const outcome = promise.finally(() => {
      settled = true
    })
    outcome.catch(() => undefined)
    const deadline = this.#nowMs + limitMs
    for (;;) {
      await setImmediate()
      if (settled) return outcome
      if (!this.#step() || this.#nowMs > deadline) {
        throw new Error(`still waiting at ${this.#nowMs} ms with ${this.#timers.size} timers`)
      }
    }
  }

  /** Lets `ms` pass. */
  pass(ms: number): Promise<void> {
    return this.drive(this.sleep(ms), ms + 1)
  }

  /** Runs the next timer; false when there is none. */
  #step(): boolean {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      const earlier = next === undefined || timer.at < next.at
      if (earlier || (timer.at === next?.at && timer.order < next.order)) next = timer
    }
    if (next === undefined) return false
    this.#timers.delete(next)
    this.#nowMs = Math.max(this.#nowMs, next.at)
    next.run()
    return true
  }
}
