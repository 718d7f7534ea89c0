import { ShardError } from '../proto/shard-transport.ts'
import { IndexDamage } from './index/shard-index.ts'

/** The calls that a storage node is answering: tracked until they end, refused once it closes, their errors translated. */
export class Calls {
  readonly #running = new Set<Promise<unknown>>()
  readonly #onIndexDamage: (damage: IndexDamage) => Promise<void>
  #background = 0
  #closed = false

  /** @param onIndexDamage called each time that the index turns out to be damaged */
  constructor(onIndexDamage: (damage: IndexDamage) => Promise<void>) {
    this.#onIndexDamage = onIndexDamage
  }

  /** How many are running, but for those in the background. */
  get inFlight(): number {
    return this.#running.size - this.#background
  }

  /**
   * Runs one call of the service: not while closing, tracked, and all errors as ShardError.
   * @param background nobody waits for it: it is in nobody's way
   */
  async run<T>(signal: AbortSignal | undefined, action: () => Promise<T>, background = false): Promise<T> {
    if (this.#closed) throw new ShardError('unavailable', 'shutting down')
    if (signal?.aborted === true) throw new ShardError('aborted', 'the caller gave up')
    const running = this.indexed(action)
    this.#running.add(running)
    if (background) this.#background++
    try {
      return await running
    } catch (error) {
      if (error instanceof ShardError) throw error
      if (error instanceof IndexDamage) throw new ShardError('corrupt', error.message, { cause: error })
      throw new ShardError('unavailable', messageOf(error), { cause: error })
    } finally {
      this.#running.delete(running)
      if (background) this.#background--
    }
  }

  /** Runs what uses the index, and tells of its damage. */
  async indexed<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      if (error instanceof IndexDamage) await this.#onIndexDamage(error)
      throw error
    }
  }

  /** Refuses new calls, and resolves when those that run have ended. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#running)
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
