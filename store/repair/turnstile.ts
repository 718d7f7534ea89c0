/** One after another: of the work on threads, repair has at most one piece in front of what a client waits for. */
export class Turnstile {
  #last: Promise<void> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.then(nothing, nothing)
    return result
  }
}

function nothing(): void {
  // Whatever became of it, the next may come.
}
