/** What ends a request early: the caller's signal, or a failure of any of its parts. */

/**
 * One request's life. Lighter than a tree of AbortControllers, which costs more than a small object's whole write:
 * callbacks are plain functions, and each runs at most once.
 */
export class Scope {
  readonly #callbacks = new Set<() => void>()
  readonly #signal: AbortSignal | undefined
  #reason: Error | undefined

  constructor(signal?: AbortSignal) {
    this.#signal = signal
    if (signal?.aborted === true) this.#reason = asError(signal.reason)
    else signal?.addEventListener('abort', this.#onSignal)
  }

  /** Why it ended early; `undefined` while it has not. */
  get reason(): Error | undefined {
    return this.#reason
  }

  throwIfAborted(): void {
    if (this.#reason !== undefined) throw this.#reason
  }

  /** Calls `run` when the request ends early, at once if it has; the result takes it back. */
  onAbort(run: () => void): () => void {
    if (this.#reason !== undefined) {
      run()
      return nothing
    }
    this.#callbacks.add(run)
    return () => {
      this.#callbacks.delete(run)
    }
  }

  /** Ends everything that runs in it. The first reason stays. */
  abort(reason: Error): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#signal?.removeEventListener('abort', this.#onSignal)
    for (const run of this.#callbacks) run()
    this.#callbacks.clear()
  }

  /** The request is over: the caller's signal no longer concerns it. */
  end(): void {
    this.#signal?.removeEventListener('abort', this.#onSignal)
    this.#callbacks.clear()
  }

  readonly #onSignal = (): void => {
    this.abort(asError(this.#signal?.reason))
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason })
}

function nothing(): void {
  // Taken back what was never kept.
}
