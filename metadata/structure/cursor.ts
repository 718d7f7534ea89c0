import { compareBytes, KeyReader } from '../../core/keyspace/bytes.ts'
import { SPACE } from '../../core/keyspace/keys.ts'
import type { EngineEntry } from '../engine/engine.ts'

/** (bucket, key) of an entry, as the bytes of both. */
export interface EntryPosition {
  readonly bucket: Uint8Array
  readonly key: Uint8Array
}

function positionOf(key: Uint8Array): EntryPosition {
  const reader = new KeyReader(key)
  const bucket = reader.text()
  // The only space where the key of the object ends the key.
  return { bucket, key: key[0] === SPACE.object ? reader.rest() : reader.text() }
}

export function comparePosition(left: EntryPosition, right: EntryPosition): number {
  return compareBytes(left.bucket, right.bucket) || compareBytes(left.key, right.key)
}

/** Walks over one space of one engine, whatever others read meanwhile. Holds one page. */
export class SpaceCursor {
  readonly #pages: AsyncGenerator<readonly EngineEntry[]>
  #entries: readonly EngineEntry[] = []
  #index = 0
  #position: EntryPosition | undefined

  private constructor(pages: AsyncGenerator<readonly EngineEntry[]>) {
    this.#pages = pages
  }

  static async open(pages: AsyncGenerator<readonly EngineEntry[]>): Promise<SpaceCursor> {
    const cursor = new SpaceCursor(pages)
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

  /** Goes to the next entry. Only where a page ends, that takes a wait. */
  step(): Promise<void> | undefined {
    this.#position = undefined
    this.#index++
    return this.#index < this.#entries.length ? undefined : this.#fill()
  }

  async close(): Promise<void> {
    await this.#pages.return(undefined)
  }

  async #fill(): Promise<void> {
    const read = await this.#pages.next()
    this.#entries = read.done === true ? [] : read.value
    this.#index = 0
  }
}
