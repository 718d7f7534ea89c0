import { compareBytes, KeyReader } from '../../../core/keyspace/bytes.ts'
import { objectKey } from '../../../core/keyspace/keys.ts'
import type { EngineEntry } from '../../engine/engine.ts'
import { type BackupChunk, type BackupSource, type CheckedBackup, readChunks } from '../format/reader.ts'

/** (bucket, key) of an entry, as the bytes of both. */
export interface EntryPosition {
  readonly bucket: Uint8Array
  readonly key: Uint8Array
}

const OBJECT_SPACE = objectKey('', '')[0]

function positionOf(key: Uint8Array): EntryPosition {
  const reader = new KeyReader(key)
  const bucket = reader.text()
  // The only space where the key of the object ends the key.
  return { bucket, key: key[0] === OBJECT_SPACE ? reader.rest() : reader.text() }
}

export function comparePosition(left: EntryPosition, right: EntryPosition): number {
  return compareBytes(left.bucket, right.bucket) || compareBytes(left.key, right.key)
}

/** Walks over one space of one engine in a backup's file, whatever others read from the file meanwhile. Holds one chunk. */
export class SpaceCursor {
  readonly #engine: number
  readonly #space: number
  readonly #chunks: AsyncGenerator<BackupChunk> | undefined
  #entries: readonly EngineEntry[] = []
  #index = 0
  #position: EntryPosition | undefined

  private constructor(engine: number, space: number, chunks: AsyncGenerator<BackupChunk> | undefined) {
    this.#engine = engine
    this.#space = space
    this.#chunks = chunks
  }

  static async open(
    source: BackupSource,
    { spaces }: CheckedBackup,
    engine: number,
    space: number,
  ): Promise<SpaceCursor> {
    const start = spaces.find((one) => one.engine === engine && one.space === space)
    const chunks = start === undefined ? undefined : readChunks(source, start.at)
    const cursor = new SpaceCursor(engine, space, chunks)
    await cursor.#fill()
    return cursor
  }

  /** The entry it stands at; undefined at the end. */
  get entry(): EngineEntry | undefined {
    return this.#entries[this.#index]
  }

  /** Of that entry. */
  get position(): EntryPosition | undefined {
    const { entry } = this
    if (entry === undefined) return undefined
    this.#position ??= positionOf(entry.key)
    return this.#position
  }

  /** Goes to the next entry. Only where a chunk ends, that takes a wait. */
  step(): Promise<void> | undefined {
    this.#position = undefined
    this.#index++
    return this.#index < this.#entries.length ? undefined : this.#fill()
  }

  async #fill(): Promise<void> {
    const read = await this.#chunks?.next()
    const chunk = read?.done === false ? read.value : undefined
    const mine = chunk?.engine === this.#engine && chunk.space === this.#space
    this.#entries = mine ? chunk.entries : []
    this.#index = 0
    if (!mine) await this.#chunks?.return(undefined)
  }
}
