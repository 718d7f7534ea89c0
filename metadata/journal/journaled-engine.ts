import type { KeyRange } from '../../core/keyspace/bytes.ts'
import {
  BatchTooLargeError,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  type EngineEstimate,
  EngineFullError,
  type EngineSnapshot,
  FencedError,
  type ScanRequest,
} from '../engine/engine.ts'
import type { JournalBatch } from './segment.ts'

/** Told what becomes durable, in order. */
export interface BatchListener {
  committed(batch: JournalBatch): void
  /** A batch may have been written or not: what was told is not all any more. */
  lost(): void
}

/** What an engine throws that has written nothing. */
const NOT_WRITTEN = [FencedError, BatchTooLargeError, EngineFullError]

/** An engine whose batches somebody hears of. Nothing waits for the listener. */
export class JournaledEngine implements Engine {
  readonly #engine: Engine
  readonly #listener: BatchListener
  #running = 0
  #idle: PromiseWithResolvers<undefined> | undefined
  #held: PromiseWithResolvers<undefined> | undefined

  constructor(engine: Engine, listener: BatchListener) {
    this.#engine = engine
    this.#listener = listener
  }

  get limits(): Engine['limits'] {
    return this.#engine.limits
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#engine.get(key)
  }

  scan(request: ScanRequest): Promise<EngineEntry[]> {
    return this.#engine.scan(request)
  }

  scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    return this.#engine.scanTogether(requests)
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#engine.watch(key, changed)
  }

  estimate(range: KeyRange): Promise<EngineEstimate> {
    return this.#engine.estimate(range)
  }

  openSnapshot(): Promise<EngineSnapshot> {
    return this.#engine.openSnapshot()
  }

  async commit(batch: EngineBatch): Promise<void> {
    while (this.#held !== undefined) await this.#held.promise
    this.#running++
    try {
      await this.#engine.commit(batch)
      this.#listener.committed(batch)
    } catch (error) {
      if (!NOT_WRITTEN.some((kind) => error instanceof kind)) this.#listener.lost()
      throw error
    } finally {
      this.#running--
      if (this.#running === 0) this.#idle?.resolve(undefined)
    }
  }

  close(): Promise<void> {
    return this.#engine.close()
  }

  /** Runs while no commit does: between two of them, for as long as it takes. One at a time. */
  async between<T>(run: () => Promise<T>): Promise<T> {
    const held = Promise.withResolvers<undefined>()
    this.#held = held
    try {
      if (this.#running > 0) {
        this.#idle = Promise.withResolvers<undefined>()
        await this.#idle.promise
      }
      return await run()
    } finally {
      this.#idle = undefined
      this.#held = undefined
      held.resolve(undefined)
    }
  }
}
