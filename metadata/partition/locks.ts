/** Gives a lock back. Called once. */
export type Release = () => void

interface Waiter {
  readonly exclusive: boolean
  readonly grant: (release: Release) => void
}

interface Lock {
  /** Shared holders, or -1 while one holds it exclusively. */
  holders: number
  readonly waiters: Waiter[]
}

/**
 * Reader-writer locks by name, first come first served: a waiting writer is not passed by later readers. Locks exist
 * while somebody holds them.
 */
export class NamedLocks {
  readonly #locks = new Map<string, Lock>()

  shared(name: string): Promise<Release> {
    return this.#acquire(name, false)
  }

  exclusive(name: string): Promise<Release> {
    return this.#acquire(name, true)
  }

  #acquire(name: string, exclusive: boolean): Promise<Release> {
    let lock = this.#locks.get(name)
    if (lock === undefined) {
      lock = { holders: 0, waiters: [] }
      this.#locks.set(name, lock)
    }
    const { promise, resolve } = Promise.withResolvers<Release>()
    lock.waiters.push({ exclusive, grant: resolve })
    this.#grant(name, lock)
    return promise
  }

  #grant(name: string, lock: Lock): void {
    for (let first = lock.waiters[0]; first !== undefined; first = lock.waiters[0]) {
      if (first.exclusive ? lock.holders !== 0 : lock.holders < 0) return
      lock.waiters.shift()
      lock.holders = first.exclusive ? -1 : lock.holders + 1
      first.grant(() => {
        lock.holders = lock.holders < 0 ? 0 : lock.holders - 1
        this.#grant(name, lock)
      })
    }
    if (lock.holders === 0) this.#locks.delete(name)
  }
}
