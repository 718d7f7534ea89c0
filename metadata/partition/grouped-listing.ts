import { compareBytes, next, type KeyRange } from '../../core/keyspace/bytes.ts'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import { ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import type { EngineEntry, ScanRequest } from '../engine/engine.ts'

/** Entries of the first scan of a listing with a delimiter, and of one after a page that was mostly rolled up. */
const FIRST_PAGE = 16
/** Entries of the scan after a page under one common prefix: under the next there may be as many. */
const SEEK_PAGE = 2

export function firstPage(delimiter: string): number {
  return delimiter === '' ? ENGINE_SCAN_ENTRIES_MAX : FIRST_PAGE
}

/** Entries to scan for after a page of `found` entries, of which `listed` became entries and common prefixes of the listing. */
export function nextPage(page: number, found: number, listed: number): number {
  if (listed * 2 > found) return Math.min(page * 4, ENGINE_SCAN_ENTRIES_MAX)
  return listed > 1 ? FIRST_PAGE : SEEK_PAGE
}

export interface GroupedListing extends KeyRange {
  scan(request: ScanRequest): Promise<EngineEntry[]>
  keyOf(entry: EngineEntry): string
  /** The first key of the engine after all that start with a common prefix. */
  after(commonPrefix: string): Uint8Array
  readonly prefix: string
  readonly delimiter: string
  /** Of entries and common prefixes together. */
  readonly limit: number
}

export interface Listed {
  readonly entries: readonly { readonly key: string; readonly entry: EngineEntry }[]
  readonly commonPrefixes: readonly string[]
  /** There is more after the last one listed. */
  readonly truncated: boolean
  /** What was listed last, if anything was. */
  readonly last:
    | { readonly key: string; readonly entry: EngineEntry }
    | { readonly commonPrefix: string }
    | undefined
}

/**
 * Lists a range of the engine as S3 does, keys under a common prefix rolled up into one. Seeks past the rest of a
 * prefix instead of reading it: the cost is that of what is returned, however many keys there are.
 */
export async function listGrouped(listing: GroupedListing): Promise<Listed> {
  const { prefix, delimiter, limit, lt } = listing
  if (limit === 0) return { entries: [], commonPrefixes: [], truncated: false, last: undefined }
  const entries: { key: string; entry: EngineEntry }[] = []
  const commonPrefixes: string[] = []
  let last: Listed['last']
  let cursor = listing.gte
  let page = firstPage(delimiter)
  while (entries.length + commonPrefixes.length <= limit && compareBytes(cursor, lt) < 0) {
    const wanted = Math.min(page, limit - entries.length - commonPrefixes.length + 1)
    const before = entries.length + commonPrefixes.length
    const found = await listing.scan({ gte: cursor, lt, limit: wanted })
    for (const entry of found) {
      // Under the common prefix listed before it.
      if (compareBytes(entry.key, cursor) < 0) continue
      if (entries.length + commonPrefixes.length === limit) {
        return { entries, commonPrefixes, truncated: true, last }
      }
      const key = listing.keyOf(entry)
      const commonPrefix = commonPrefixOf(key, prefix, delimiter)
      if (commonPrefix === undefined) {
        last = { key, entry }
        entries.push(last)
        cursor = next(entry.key)
      } else {
        last = { commonPrefix }
        commonPrefixes.push(commonPrefix)
        cursor = listing.after(commonPrefix)
      }
    }
    if (found.length < wanted) break
    page = nextPage(page, found.length, entries.length + commonPrefixes.length - before)
  }
  return { entries, commonPrefixes, truncated: false, last }
}
