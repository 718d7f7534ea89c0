import { systemClock } from '../../runtime/clock/system-clock.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** Time that runs only when told to. */
export class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; run: () => void }[] = []

  nowMs(): number {
    return systemClock.nowMs()
  }

  monotonicMs(): number {
    return this.#now
  }

  async sleep(): Promise<void> {
    throw new Error('not used')
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Time passes while the process stands still: then all that is due runs, once. */
  standStill(ms: number): void {
    this.#now += ms
    const due = this.#timers.filter(({ at }) => at <= this.#now)
    this.#timers = this.#timers.filter((timer) => !due.includes(timer))
    for (const { run } of due.toSorted((a, b) => a.at - b.at)) run()
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > end) break
      this.#now = next.at
      this.#timers = this.#timers.filter((other) => other !== next)
      next.run()
    }
    this.#now = end
  }
}
