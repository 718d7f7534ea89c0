import { compareBytes } from '../../core/keyspace/bytes.ts'
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
  FencedError,
  fenceHolds,
  type ScanRequest,
} from './engine.ts'

/**
 * An engine in memory: gone when the process ends, for tests, simulation and trials. Its keys lie in one sorted array,
 * so an insert moves what comes after it: fine for some hundred thousand keys.
 */
export class MemoryEngine implements Engine {
  readonly limits = { operations: ENGINE_BATCH_OPERATIONS_MAX, bytes: ENGINE_BATCH_BYTES_MAX }
  readonly #entries: EngineEntry[] = []
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
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #scan(request: ScanRequest): EngineEntry[] {
    this.#assertOpen()
    assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    const start = this.#position(request.gte)
    const end = Math.max(start, this.#position(request.lt))
    const found =
      request.reverse === true
        ? this.#entries.slice(Math.max(start, end - request.limit), end).reverse()
        : this.#entries.slice(start, Math.min(end, start + request.limit))
    return found.map(({ key, value }) => ({ key: key.slice(), value: value.slice() }))
  }

  #find(key: Uint8Array): EngineEntry | undefined {
    const at = this.#position(key)
    return this.#holdsAt(at, key) ? this.#entries[at] : undefined
  }

  #holdsAt(at: number, key: Uint8Array): boolean {
    const entry = this.#entries[at]
    return entry !== undefined && compareBytes(entry.key, key) === 0
  }

  /** Index of the first entry at or after `key`. */
  #position(key: Uint8Array): number {
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle]
      if (entry !== undefined && compareBytes(entry.key, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('the engine is closed')
  }
}
