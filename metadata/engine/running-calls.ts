/** The calls of an engine that run, so that its closing waits for them. */
export class RunningCalls {
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  /** @throws {Error} once it was closed */
  assertOpen(): void {
    if (this.#closed) throw new Error('the engine is closed')
  }

  /** @throws {Error} once it was closed, and what the call throws */
  async run<T>(call: () => Promise<T>): Promise<T> {
    this.assertOpen()
    const running = call()
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }

  /** Takes no more, and resolves when those that run have ended, however. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
  }
}
