import { compareBytes, type KeyRange } from '../../core/keyspace/bytes.ts'
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
  type EngineSnapshot,
  FencedError,
  fenceHolds,
  type ScanRequest,
} from './engine.ts'
import { KeyWatchers } from './key-watchers.ts'

/**
 * An engine in memory: gone when the process ends, for tests, simulation and trials. Its keys lie in one sorted array,
 * so an insert moves what comes after it: fine for some hundred thousand keys.
 */
export class MemoryEngine implements Engine {
  readonly limits = { operations: ENGINE_BATCH_OPERATIONS_MAX, bytes: ENGINE_BATCH_BYTES_MAX }
  /** Entries are replaced, never changed. */
  readonly #entries: EngineEntry[] = []
  readonly #watchers = new KeyWatchers()
  #closed = false

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen()
    return this.#find(key)?.value.slice()
  }

  async scan(request: ScanRequest): Promise<EngineEntry[]> {
    return this.#scan(request)
  }

  async scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    return requests.map((request) => this.#scan(request))
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#watchers.add(key, changed)
  }

  async estimate({ gte, lt }: KeyRange): Promise<EngineEstimate> {
    this.#assertOpen()
    const found = this.#entries.slice(this.#position(gte), Math.max(this.#position(gte), this.#position(lt)))
    return {
      entries: found.length,
      bytes: found.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
    }
  }

  async openSnapshot(): Promise<EngineSnapshot> {
    this.#assertOpen()
    const entries = [...this.#entries]
    return {
      scan: async (request) => scanOf(entries, request),
      close: async () => undefined,
    }
  }

  async commit(batch: EngineBatch): Promise<void> {
    this.#assertOpen()
    assertWithinLimits(batch, this.limits)
    if (!fenceHolds(batch.fence, this.#find(batch.fence.key)?.value)) throw new FencedError()
    for (const key of batch.deletes) {
      const at = this.#position(key)
      if (this.#holdsAt(at, key)) this.#entries.splice(at, 1)
    }
    for (const { key, value } of batch.puts) {
      const at = this.#position(key)
      const entry = { key: key.slice(), value: value.slice() }
      this.#entries.splice(at, this.#holdsAt(at, key) ? 1 : 0, entry)
    }
    this.#watchers.committed(batch)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #scan(request: ScanRequest): EngineEntry[] {
    this.#assertOpen()
    return scanOf(this.#entries, request)
  }

  #find(key: Uint8Array): EngineEntry | undefined {
    const at = this.#position(key)
    return this.#holdsAt(at, key) ? this.#entries[at] : undefined
  }

  #holdsAt(at: number, key: Uint8Array): boolean {
    const entry = this.#entries[at]
    return entry !== undefined && compareBytes(entry.key, key) === 0
  }

  #position(key: Uint8Array): number {
    return positionOf(this.#entries, key)
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('the engine is closed')
  }
}

function scanOf(entries: readonly EngineEntry[], request: ScanRequest): EngineEntry[] {
  assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
  const start = positionOf(entries, request.gte)
  const end = Math.max(start, positionOf(entries, request.lt))
  const found =
    request.reverse === true
      ? entries.slice(Math.max(start, end - request.limit), end).reverse()
      : entries.slice(start, Math.min(end, start + request.limit))
  return found.map(({ key, value }) => ({ key: key.slice(), value: value.slice() }))
}

/** Index of the first entry at or after `key`. */
function positionOf(entries: readonly EngineEntry[], key: Uint8Array): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const entry = entries[middle]
    if (entry !== undefined && compareBytes(entry.key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
