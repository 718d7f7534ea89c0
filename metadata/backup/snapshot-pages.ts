import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import { BACKUP_CHUNK_BYTES, ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import type { EngineEntry, EngineSnapshot } from '../engine/engine.ts'
import { packedBytes } from './format/entries.ts'

const FIRST_GUESS_BYTES = 8192
/** Bytes of one page at most, beyond its first entry. */
const PAGE_BYTES_MAX = 4 * BACKUP_CHUNK_BYTES

/** Every key that there may be. */
export const EVERYTHING = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff) } as const

/** Reads a snapshot from its first key to its last, in pages of about BACKUP_CHUNK_BYTES. */
export class SnapshotPages {
  readonly #snapshot: EngineSnapshot
  readonly #isForeign: ((key: Uint8Array) => boolean) | undefined
  /** Mean bytes of an entry on the last page. */
  #entryBytes = FIRST_GUESS_BYTES

  /** @param isForeign keys to be left out; absent: none */
  constructor(snapshot: EngineSnapshot, isForeign?: (key: Uint8Array) => boolean) {
    this.#snapshot = snapshot
    this.#isForeign = isForeign
  }

  /**
   * @param after exclusive; empty: from the first key
   * @param before exclusive; empty or absent: to the last key
   * @returns nothing: there are no more
   * @throws {SnapshotLostError}
   */
  async read(after: Uint8Array, before: Uint8Array = new Uint8Array()): Promise<readonly EngineEntry[]> {
    const isForeign = this.#isForeign
    if (isForeign === undefined) return await this.#page(after, before)
    for (let from = after; ;) {
      const page = await this.#page(from, before)
      const last = page.at(-1)
      if (last === undefined) return page
      const own = page.filter(({ key }) => !isForeign(key))
      if (own.length > 0) return own
      from = last.key
    }
  }

  async #page(after: Uint8Array, before: Uint8Array): Promise<readonly EngineEntry[]> {
    const gte = after.length === 0 ? EVERYTHING.gte : next(after)
    const lt = before.length === 0 ? EVERYTHING.lt : before
    if (compareBytes(gte, lt) >= 0) return []
    // So many as make a page, if they are like the last ones.
    const limit = Math.min(ENGINE_SCAN_ENTRIES_MAX, Math.ceil(BACKUP_CHUNK_BYTES / this.#entryBytes))
    const page = pageOf(await this.#snapshot.scan({ gte, lt, limit }))
    const bytes = page.reduce((sum, entry) => sum + packedBytes(entry), 0)
    if (page.length > 0) this.#entryBytes = Math.max(1, bytes / page.length)
    return page
  }

  close(): Promise<void> {
    return this.#snapshot.close()
  }
}

/** As many as a reply has room for, and at least one. */
function pageOf(entries: readonly EngineEntry[]): readonly EngineEntry[] {
  let bytes = 0
  for (const [index, entry] of entries.entries()) {
    bytes += packedBytes(entry)
    if (bytes > PAGE_BYTES_MAX && index > 0) return entries.slice(0, index)
  }
  return entries
}
