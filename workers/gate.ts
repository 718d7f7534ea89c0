/** Lets so many pieces of work run at once, the most urgent first. */

interface Waiter {
  readonly urgency: number
  readonly enter: () => void
}

export class Gate {
  #free: number
  /** By urgency, then in order of arrival. */
  readonly #waiting: Waiter[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Runs the work once there is a place and nothing more urgent waits.
   *
   * @param urgency the lower the earlier: shards that may still be lost
   * @throws what the work throws, or the signal's reason when it ends while waiting
   */
  async run<T>(urgency: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(urgency, signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  async #enter(urgency: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const waiter: Waiter = {
      urgency,
      enter: () => {
        signal.removeEventListener('abort', abort)
        resolve(undefined)
      },
    }
    const abort = (): void => {
      const at = this.#waiting.indexOf(waiter)
      if (at >= 0) this.#waiting.splice(at, 1)
      const reason: unknown = signal.reason
      reject(reason instanceof Error ? reason : new Error('aborted', { cause: reason }))
    }
    const after = this.#waiting.findIndex((other) => other.urgency > urgency)
    this.#waiting.splice(after < 0 ? this.#waiting.length : after, 0, waiter)
    signal.addEventListener('abort', abort, { once: true })
    await promise
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next.enter()
  }
}
