import type { KeyRange } from '../../core/keyspace/bytes.ts'
import {
  assertWithinLimits,
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
import type { Tail } from './tail.ts'

/** Told what becomes durable, in order. */
export interface BatchListener {
  /** Whether it still makes something of what it is told. */
  readonly followed: boolean
  committed(batch: JournalBatch, number: number): void
  /** A batch may have been written or not: what was told is not all any more. */
  lost(): void
}

/** What an engine throws that has written nothing. */
const NOT_WRITTEN = [FencedError, BatchTooLargeError, EngineFullError]

/** An engine whose batches somebody hears of, and notes itself what that somebody may lack. Nothing waits for the listener. */
export class JournaledEngine implements Engine {
  readonly #engine: Engine
  readonly #listener: BatchListener
  readonly #tail: Tail
  #running = 0
  #idle: PromiseWithResolvers<undefined> | undefined
  #held: PromiseWithResolvers<undefined> | undefined

  constructor(engine: Engine, listener: BatchListener, tail: Tail) {
    this.#engine = engine
    this.#listener = listener
    this.#tail = tail
  }

  get limits(): Engine['limits'] {
    return this.#tail.limits
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
    assertWithinLimits(batch, this.limits)
    const { number, batch: marked } = this.#tail.mark(batch, this.#listener.followed)
    this.#running++
    try {
      await this.#engine.commit(marked)
      this.#tail.written(number)
      this.#listener.committed(batch, number)
    } catch (error) {
      if (NOT_WRITTEN.some((kind) => error instanceof kind)) this.#tail.refused(number)
      else this.#listener.lost()
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
