import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import { ENGINE_MOVE_KEYS_MAX, ENGINE_MOVE_READS, ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import type { Engine, EngineEntry, Fence } from '../engine/engine.ts'
import { isAmong, type RecordRange } from './engine-records.ts'

/** The keys that were written since a copy began to read them: some may be older in it. */
export class WrittenKeys {
  readonly #ranges: readonly RecordRange[]
  #keys = new Map<string, Uint8Array>()
  #overflown = false

  constructor(ranges: readonly RecordRange[]) {
    this.#ranges = ranges
  }

  add(writes: ReadonlyMap<string, { readonly key: Uint8Array }>): void {
    if (this.#overflown) return
    // Manifest pages may be removed that are another partition's by now.
    for (const [name, { key }] of writes) if (isAmong(this.#ranges, key)) this.#keys.set(name, key)
    if (this.#keys.size <= ENGINE_MOVE_KEYS_MAX) return
    this.#overflown = true
    this.#keys.clear()
  }

  /** Infinity: more than are remembered. */
  get size(): number {
    return this.#overflown ? Number.POSITIVE_INFINITY : this.#keys.size
  }

  /** All so far, in order, which are then forgotten; undefined: it may be any. */
  take(): Uint8Array[] | undefined {
    const keys = this.#overflown ? undefined : [...this.#keys.values()].sort(compareBytes)
    this.#keys = new Map()
    this.#overflown = false
    return keys
  }
}

export interface CopyParts {
  readonly from: Engine
  readonly to: Engine
  /** On the engine that is written to. */
  readonly fence: Fence
  readonly ranges: readonly RecordRange[]
  /** Called before each batch. @throws when the copy is to end */
  readonly proceed: () => Promise<void>
}

/** Makes what one engine has of some ranges the same as what another has. One call at a time. */
export class EngineCopy {
  readonly #parts: CopyParts
  #puts: EngineEntry[] = []
  #deletes: Uint8Array[] = []
  #bytes = 0

  constructor(parts: CopyParts) {
    this.#parts = parts
  }

  /** Compares all of it: what is missing or another is written, what is too much removed. */
  async all(): Promise<void> {
    for (const range of this.#parts.ranges) await this.#range(range)
    await this.#flush()
  }

  /** Some keys, as they are now. */
  async keys(keys: readonly Uint8Array[]): Promise<void> {
    for (let start = 0; start < keys.length; start += ENGINE_MOVE_READS) {
      const some = keys.slice(start, start + ENGINE_MOVE_READS)
      const values = await Promise.all(some.map((key) => this.#parts.from.get(key)))
      for (const [index, key] of some.entries()) {
        const value = values[index]
        if (value === undefined) await this.#delete(key)
        else await this.#put({ key, value })
      }
    }
    await this.#flush()
  }

  async #range(range: RecordRange): Promise<void> {
    const { from } = this.#parts
    for (let { gte } = range; ;) {
      const wanted = await from.scan({ gte, lt: range.lt, limit: ENGINE_SCAN_ENTRIES_MAX })
      const last = wanted.length < ENGINE_SCAN_ENTRIES_MAX ? undefined : wanted.at(-1)
      const lt = last === undefined ? range.lt : next(last.key)
      await this.#match({ ...range, gte, lt }, wanted)
      if (last === undefined) return
      gte = lt
    }
  }

  /** @param wanted all that the other engine has of the range, in order */
  async #match(range: RecordRange, wanted: readonly EngineEntry[]): Promise<void> {
    let index = 0
    const putBefore = async (key: Uint8Array | undefined): Promise<EngineEntry | undefined> => {
      for (; index < wanted.length; index++) {
        const entry = wanted[index]
        if (entry === undefined) continue
        if (key !== undefined && compareBytes(entry.key, key) >= 0) return entry
        if (range.holds(entry.key)) await this.#put(entry)
      }
      return undefined
    }
    for (let { gte } = range; ;) {
      const found = await this.#parts.to.scan({ gte, lt: range.lt, limit: ENGINE_SCAN_ENTRIES_MAX })
      for (const { key, value } of found) {
        const entry = await putBefore(key)
        const same = entry !== undefined && compareBytes(entry.key, key) === 0
        if (same) index++
        if (!range.holds(key)) continue
        if (!same) await this.#delete(key)
        else if (compareBytes(entry.value, value) !== 0) await this.#put(entry)
      }
      const last = found.at(-1)
      if (last === undefined || found.length < ENGINE_SCAN_ENTRIES_MAX) break
      gte = next(last.key)
    }
    await putBefore(undefined)
  }

  async #put(entry: EngineEntry): Promise<void> {
    await this.#reserve(entry.key.length + entry.value.length)
    this.#puts.push(entry)
  }

  async #delete(key: Uint8Array): Promise<void> {
    await this.#reserve(key.length)
    this.#deletes.push(key)
  }

  async #reserve(bytes: number): Promise<void> {
    const { operations, bytes: bytesMax } = this.#parts.to.limits
    const full = this.#puts.length + this.#deletes.length >= operations || this.#bytes + bytes > bytesMax
    if (full) await this.#flush()
    this.#bytes += bytes
  }

  async #flush(): Promise<void> {
    const { to, fence, proceed } = this.#parts
    await proceed()
    const puts = this.#puts
    const deletes = this.#deletes
    this.#puts = []
    this.#deletes = []
    this.#bytes = 0
    if (puts.length + deletes.length > 0) await to.commit({ fence, puts, deletes })
  }
}
