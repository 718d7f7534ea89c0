import type { Clock } from '../../runtime/ports/clock.ts'

/** For tests: time that passes only when told to; timers whose time has come run in order. */
export class ManualClock implements Clock {
  readonly #startMs: number
  #passedMs = 0
  #timers: { readonly at: number; readonly run: () => void }[] = []

  /** @param startMs Unix milliseconds */
  constructor(startMs: number) {
    this.#startMs = startMs
  }

  nowMs(): number {
    return this.#startMs + this.#passedMs
  }

  monotonicMs(): number {
    return this.#passedMs
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('nobody sleeps here'))
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#passedMs + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length
  }

  pass(ms: number): void {
    const end = this.#passedMs + ms
    for (;;) {
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at)
      if (next === undefined || next.at > end) break
      this.#passedMs = next.at
      this.#timers = this.#timers.filter((other) => other !== next)
      next.run()
    }
    this.#passedMs = end
  }
}
