import { LRUCache } from 'lru-cache'
import type { Message } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { RECORD_CACHE_BYTES_MAX } from '../../core/limits.ts'
import { freeze } from '../freeze.ts'
import { decodeRecord, type RecordKind } from '../records.ts'

/** A value as read: its bytes (null: there is no such key), and its record once somebody asked for it. */
export class CachedValue {
  readonly bytes: Uint8Array | null
  #schema: GenMessage<Message> | undefined
  #record: Message | undefined

  constructor(bytes: Uint8Array | null) {
    this.bytes = bytes
  }

  /**
   * The record, decoded once and frozen: in-process callers share it.
   * @throws {NewerFormatError}
   */
  record<T extends Message & { format: number }>(kind: RecordKind<T>): T | undefined {
    if (this.bytes === null) return undefined
    if (this.#schema !== kind.schema || this.#record === undefined) {
      const record = freeze(decodeRecord(kind, this.bytes))
      this.#schema = kind.schema
      this.#record = record
      return record
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- decoded by this very schema
    return this.#record as T
  }
}

/** Rough cost of an entry beside its bytes: the Map's slot and the record's objects. */
const ENTRY_BYTES = 512
/** A decoded record takes about twice its encoded bytes on top of them. */
const BYTES_FACTOR = 3

/**
 * The hot records of a partition. Holds durable values only: {@link publish} is called for every write when it has
 * become durable and before it is answered, and a value that was being read from the engine meanwhile is not kept.
 */
export class RecordCache {
  readonly #values = new LRUCache<string, CachedValue>({
    maxSize: RECORD_CACHE_BYTES_MAX,
    sizeCalculation: (value, name) => ENTRY_BYTES + name.length + (value.bytes?.length ?? 0) * BYTES_FACTOR,
  })
  /** Reads from the engine that are under way; one serves all who ask meanwhile. */
  readonly #fills = new Map<string, Promise<CachedValue>>()

  /** The value by its name, through `load` if it is not here. */
  get(name: string, load: () => Promise<Uint8Array | undefined>): CachedValue | Promise<CachedValue> {
    return this.#values.get(name) ?? this.#fills.get(name) ?? this.#fill(name, load)
  }

  /** Forgets everything: somebody else may write what is here from now on, or has. */
  clear(): void {
    this.#fills.clear()
    this.#values.clear()
  }

  publish(name: string, bytes: Uint8Array | null): void {
    this.#fills.delete(name)
    this.#values.set(name, new CachedValue(bytes))
  }

  async #fill(name: string, load: () => Promise<Uint8Array | undefined>): Promise<CachedValue> {
    const fill = load().then((bytes) => new CachedValue(bytes ?? null))
    this.#fills.set(name, fill)
    try {
      const value = await fill
      // Gone from the map: a write was published since, and this may be what was there before.
      if (this.#fills.get(name) === fill) this.#values.set(name, value)
      return value
    } finally {
      if (this.#fills.get(name) === fill) this.#fills.delete(name)
    }
  }
}
