import { type KeyRange, KeyReader, KeyWriter } from './bytes.ts'
import { SPACE } from './keys.ts'

/** Where the embedded engine keeps what it knows of its journal. */

export const journalPositionKey: Uint8Array = new KeyWriter(SPACE.journal).bytes()

/** @param number of a batch; they grow */
export function journalTailKey(number: number): Uint8Array {
  return new KeyWriter(SPACE.journal).number(number, 8).bytes()
}

/** @param to the last number; by default all */
export function journalTailSpace(to = Number.MAX_SAFE_INTEGER - 1): KeyRange {
  return { gte: journalTailKey(0), lt: journalTailKey(to + 1) }
}

export function readJournalTailKey(key: Uint8Array): number {
  return new KeyReader(key).number(8)
}
