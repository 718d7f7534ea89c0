import type { KeyRange } from '../../core/keyspace/bytes.ts'
import { ClassicLevel } from 'classic-level'
import {
  ENGINE_BATCH_BYTES_MAX,
  ENGINE_BATCH_OPERATIONS_MAX,
  ENGINE_GROUP_BYTES_MAX,
  ENGINE_SCAN_ENTRIES_MAX,
} from '../../core/limits.ts'
import {
  assertScan,
  assertWithinLimits,
  bytesOf,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  type EngineEstimate,
  EngineOpenError,
  type EngineSnapshot,
  FencedError,
  type ScanRequest,
} from './engine.ts'
import { FenceView } from './fence-view.ts'
import { KeyWatchers } from './key-watchers.ts'

type Snapshot = ReturnType<ClassicLevel<Uint8Array, Uint8Array>['snapshot']>

/** Blocks of LevelDB kept uncompressed in memory. */
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024
/** The log that is replayed at start, and the size of the table it becomes. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/** A batch that waits for its turn. */
interface Waiting {
  readonly batch: EngineBatch
  readonly done: PromiseWithResolvers<undefined>
}

/**
 * LevelDB in a folder of its own. LevelDB locks the folder against a second process, and writes its log with fsync
 * before a batch is visible to any read, so reads see what is durable and nothing else.
 *
 * Batches that come while another is being written, as those of several partitions do, share the next write: it is one
 * batch of LevelDB, which is there as a whole after a crash or not at all. A fence is checked against what the batches before it in
 * the same write leave; one that does not hold keeps its own batch out, and no other.
 */
export class LevelEngine implements Engine {
  readonly limits = { operations: ENGINE_BATCH_OPERATIONS_MAX, bytes: ENGINE_BATCH_BYTES_MAX }
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>
  readonly #watchers = new KeyWatchers()
  /** In order. */
  readonly #waiting: Waiting[] = []
  /** While batches are written: settles when none waits. One write at a time, so that no other comes between a fence and its batch. */
  #writing: Promise<void> | undefined

  private constructor(level: ClassicLevel<Uint8Array, Uint8Array>) {
    this.#level = level
  }

  /** @throws {EngineOpenError} */
  static async open(directory: string): Promise<LevelEngine> {
    const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      cacheSize: BLOCK_CACHE_BYTES,
      writeBufferSize: WRITE_BUFFER_BYTES,
    })
    try {
      await level.open()
    } catch (error) {
      throw new EngineOpenError(`cannot open the metadata in ${directory}: ${reasonOf(error)}`, {
        cause: error,
      })
    }
    return new LevelEngine(level)
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#level.get(key)
  }

  scan(request: ScanRequest): Promise<EngineEntry[]> {
    return this.#scan(request)
  }

  async scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    const snapshot = this.#level.snapshot()
    try {
      return await Promise.all(requests.map((request) => this.#scan(request, snapshot)))
    } finally {
      await snapshot.close()
    }
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#watchers.add(key, changed)
  }

  /** Of what has left the log for the tables. */
  async estimate({ gte, lt }: KeyRange): Promise<EngineEstimate> {
    return { entries: undefined, bytes: await this.#level.approximateSize(gte, lt) }
  }

  async openSnapshot(): Promise<EngineSnapshot> {
    const snapshot = this.#level.snapshot()
    return {
      scan: (request) => this.#scan(request, snapshot),
      close: () => snapshot.close(),
    }
  }

  async commit(batch: EngineBatch): Promise<void> {
    assertWithinLimits(batch, this.limits)
    const done = Promise.withResolvers<undefined>()
    this.#waiting.push({ batch, done })
    this.#writing ??= this.#writeAll()
    await done.promise
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#level.close()
  }

  async #scan(request: ScanRequest, snapshot?: Snapshot): Promise<EngineEntry[]> {
    assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    if (request.limit === 0) return []
    // Without a snapshot given, an iterator reads from that of the moment it was made.
    const iterator = this.#level.iterator({
      gte: request.gte,
      lt: request.lt,
      limit: request.limit,
      reverse: request.reverse === true,
      snapshot,
    })
    const entries = await iterator.all()
    return entries.map(([key, value]) => ({ key, value }))
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeTogether(this.#nextGroup())
    this.#writing = undefined
  }

  #nextGroup(): Waiting[] {
    let count = 0
    let bytes = 0
    for (const { batch } of this.#waiting) {
      bytes += bytesOf(batch)
      if (count > 0 && bytes > ENGINE_GROUP_BYTES_MAX) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** Never rejects: what fails is told to whoever waits. */
  async #writeTogether(group: readonly Waiting[]): Promise<void> {
    const written: Waiting[] = []
    try {
      const view = new FenceView(
        group.map(({ batch }) => batch.fence),
        (key) => this.#level.getSync(key),
      )
      const chain = this.#level.batch()
      for (const waiting of group) {
        const { batch, done } = waiting
        if (!view.holds(batch.fence)) {
          done.reject(new FencedError())
          continue
        }
        view.apply(batch)
        for (const key of batch.deletes) chain.del(key)
        for (const { key, value } of batch.puts) chain.put(key, value)
        written.push(waiting)
      }
      if (written.length === 0) await chain.close()
      else await chain.write({ sync: true })
    } catch (error) {
      // Of those that were fenced out nothing was written, whatever became of the others.
      for (const { done } of group) done.reject(error)
      return
    }
    for (const { batch, done } of written) {
      this.#watchers.committed(batch)
      done.resolve(undefined)
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
