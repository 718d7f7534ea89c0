import type { Clock } from '../../runtime/ports/clock.ts'

/** What was to be held is still busy. */
export class GateBusyError extends Error {
  override readonly name = 'GateBusyError'

  constructor() {
    super('requests that came before have not ended in time')
  }
}

/** Lets requests pass, until somebody holds it: then those inside end, and those that come wait. */
export class Gate {
  #inside = 0
  #held: PromiseWithResolvers<undefined> | undefined
  #emptied: PromiseWithResolvers<undefined> | undefined

  /** For {@link leave} to be called later; false: it is held. */
  tryEnter(): boolean {
    if (this.#held !== undefined) return false
    this.#inside++
    return true
  }

  /** For {@link leave} to be called later. */
  async enter(): Promise<void> {
    while (!this.tryEnter()) await this.#held?.promise
  }

  /** The same, for a bounded time; false: it was held for all of it. */
  async enterWithin(clock: Clock, timeoutMs: number): Promise<boolean> {
    const late = Promise.withResolvers<'late'>()
    const cancel = clock.after(timeoutMs, () => {
      late.resolve('late')
    })
    try {
      while (!this.tryEnter()) {
        if ((await Promise.race([this.#held?.promise, late.promise])) === 'late') return false
      }
      return true
    } finally {
      cancel()
    }
  }

  leave(): void {
    this.#inside--
    if (this.#inside === 0) this.#emptied?.resolve(undefined)
  }

  /**
   * Holds it; resolves to what lets it go, when nobody is inside. One at a time.
   * @throws {GateBusyError} after `timeoutMs`, with the gate open again
   */
  async hold(clock: Clock, timeoutMs: number): Promise<() => void> {
    if (this.#held !== undefined) throw new GateBusyError()
    const held = Promise.withResolvers<undefined>()
    this.#held = held
    const release = (): void => {
      if (this.#held !== held) return
      this.#held = undefined
      held.resolve(undefined)
    }
    if (this.#inside > 0) {
      const emptied = Promise.withResolvers<undefined>()
      this.#emptied = emptied
      let late = false
      const cancel = clock.after(timeoutMs, () => {
        late = true
        emptied.resolve(undefined)
      })
      await emptied.promise
      cancel()
      this.#emptied = undefined
      if (late) {
        release()
        throw new GateBusyError()
      }
    }
    return release
  }
}
