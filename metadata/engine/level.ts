import type { KeyRange } from '../../core/keyspace/bytes.ts'
import { ClassicLevel } from 'classic-level'
import {
  ENGINE_BATCH_BYTES_MAX,
  ENGINE_BATCH_OPERATIONS_MAX,
  ENGINE_SCAN_ENTRIES_MAX,
} from '../../core/limits.ts'
import {
  assertScan,
  assertWithinLimits,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  type EngineEstimate,
  EngineOpenError,
  type EngineSnapshot,
  FencedError,
  fenceHolds,
  type ScanRequest,
} from './engine.ts'
import { KeyWatchers } from './key-watchers.ts'

type Snapshot = ReturnType<ClassicLevel<Uint8Array, Uint8Array>['snapshot']>

/** Blocks of LevelDB kept uncompressed in memory. */
const BLOCK_CACHE_BYTES = 32 * 1024 * 1024
/** The log that is replayed at start, and the size of the table it becomes. */
const WRITE_BUFFER_BYTES = 16 * 1024 * 1024

/**
 * LevelDB in a folder of its own. LevelDB locks the folder against a second process, and writes its log with fsync
 * before a batch is visible to any read, so reads see what is durable and nothing else.
 */
export class LevelEngine implements Engine {
  readonly limits = { operations: ENGINE_BATCH_OPERATIONS_MAX, bytes: ENGINE_BATCH_BYTES_MAX }
  readonly #level: ClassicLevel<Uint8Array, Uint8Array>
  readonly #watchers = new KeyWatchers()
  /** Settles when the commit before is done: a fence is checked and its batch written without another in between. */
  #tail: Promise<unknown> = Promise.resolve()

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
    const done = this.#tail.then(() => this.#write(batch))
    this.#tail = done.catch(() => undefined)
    await done
  }

  async close(): Promise<void> {
    await this.#tail
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

  async #write({ fence, puts, deletes }: EngineBatch): Promise<void> {
    if (!fenceHolds(fence, this.#level.getSync(fence.key))) throw new FencedError()
    const chain = this.#level.batch()
    for (const key of deletes) chain.del(key)
    for (const { key, value } of puts) chain.put(key, value)
    await chain.write({ sync: true })
    this.#watchers.committed({ puts, deletes })
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message : error.message
}
