import { compareBytes, isWithin, type KeyRange, prefixRange } from '../../core/keyspace/bytes.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import { unpackEntries } from '../backup/format/entries.ts'
import type { EngineEntry } from '../engine/engine.ts'
import type { RecordSource } from './source.ts'

/** The snapshot was let go, by an engine or by a metadata process that ended: a new one shows a later moment. */
export class SnapshotGoneError extends Error {
  override readonly name = 'SnapshotGoneError'
}

/** No key has so many bytes of it behind its space: it sorts after all of them. */
const LAST = new Uint8Array(64).fill(0xff)

/** The records of a running cluster as they were at one moment, by a snapshot as backups are made of. */
export class LiveRecords implements RecordSource {
  readonly engines: readonly string[]
  /** What there is to read, roughly; 0: nobody knows. */
  readonly bytes: number
  readonly #api: MetadataApi
  readonly #id: string
  readonly #signal: AbortSignal
  readonly #onBytes: (bytes: number) => void

  private constructor(
    api: MetadataApi,
    opened: { readonly id: string; readonly engines: readonly string[]; readonly bytes: bigint },
    signal: AbortSignal,
    onBytes: (bytes: number) => void,
  ) {
    this.#api = api
    this.#id = opened.id
    this.#signal = signal
    this.#onBytes = onBytes
    this.engines = opened.engines
    this.bytes = Number(opened.bytes)
  }

  /** @param onBytes told of all that is read @throws {MetadataError} */
  static async open(
    api: MetadataApi,
    signal: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Promise<LiveRecords> {
    return new LiveRecords(api, await api.call('openBackup', { allRecords: true }, signal), signal, onBytes)
  }

  /** The spaces in which an engine has something. @throws as {@link pages} */
  async spaces(engine: number): Promise<number[]> {
    const found: number[] = []
    let after: Uint8Array = new Uint8Array()
    for (;;) {
      const [first] = await this.#page(engine, after, new Uint8Array())
      const space = first?.key[0]
      if (space === undefined) return found
      found.push(space)
      after = Uint8Array.of(space, ...LAST)
    }
  }

  /** @throws {SnapshotGoneError} @throws {MetadataError} */
  async *pages(engine: number, space: number, range?: KeyRange): AsyncGenerator<readonly EngineEntry[]> {
    const wanted = range ?? prefixRange(Uint8Array.of(space))
    let after: Uint8Array = keyBefore(wanted.gte)
    for (;;) {
      const entries = await this.#page(engine, after, wanted.lt)
      const last = entries.at(-1)
      if (last === undefined) return
      const within = entries.filter(({ key }) => isWithin(wanted, key))
      if (within.length > 0) yield within
      // An earlier program does not know where to end.
      if (compareBytes(last.key, wanted.lt) >= 0) return
      after = last.key
    }
  }

  /** It would be closed by itself, a while later. */
  async close(): Promise<void> {
    await this.#api.call('closeBackup', { id: this.#id }).catch(() => undefined)
  }

  async #page(engine: number, after: Uint8Array, before: Uint8Array): Promise<EngineEntry[]> {
    const request = { id: this.#id, engine, after, before }
    try {
      const { entries } = await this.#api.call('readBackup', request, this.#signal)
      this.#onBytes(entries.length)
      return unpackEntries(entries)
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.INVALID_REQUEST) throw error
      throw new SnapshotGoneError(error.message, { cause: error })
    }
  }
}

/** A key that sorts before another, with few if any between them. */
function keyBefore(key: Uint8Array): Uint8Array {
  const last = key.at(-1) ?? 0
  const head = key.subarray(0, -1)
  return last === 0 ? head : Uint8Array.of(...head, last - 1, ...LAST)
}
