import type { Change } from '../inventory/accounts.ts'
import { RECORD_ALIGN } from '../segment/format.ts'

/**
 * Which shards of a segment the scrub has accounted for, while the node goes on: a shard that is put elsewhere or removed
 * meanwhile no longer counts, and one that is appended behind where the scrub ends counts apart.
 */
export class Tally {
  readonly segment: number
  /** Where the records end that are scrubbed. */
  readonly end: number
  /** Live shards that are accounted for. */
  #accounted = 0
  /** Live shards behind `end`. */
  #behind = 0
  readonly #bits: Uint8Array

  constructor(segment: number, end: number) {
    this.segment = segment
    this.end = end
    this.#bits = new Uint8Array(Math.ceil(end / RECORD_ALIGN / 8))
  }

  /** Takes account of the live shard whose record starts at `offset`. */
  account(offset: number): void {
    if (this.has(offset)) return
    this.#flip(offset)
    this.#accounted++
  }

  has(offset: number): boolean {
    const place = offset / RECORD_ALIGN
    return ((this.#bits[place >> 3] ?? 0) & (1 << (place & 7))) !== 0
  }

  /** Live shards that are not accounted for, or not in the index, of `liveShards` that the segment should have. */
  missing(liveShards: number): number {
    return liveShards - this.#accounted - this.#behind
  }

  /** To be told of every change of the index. */
  changed(changes: readonly Change[]): void {
    for (const { before, after } of changes) {
      if (before?.segment === this.segment) {
        if (before.offset >= this.end) this.#behind--
        else if (this.has(before.offset)) {
          this.#flip(before.offset)
          this.#accounted--
        }
      }
      if (after?.segment === this.segment && after.offset >= this.end) this.#behind++
    }
  }

  #flip(offset: number): void {
    const place = offset / RECORD_ALIGN
    this.#bits[place >> 3] = (this.#bits[place >> 3] ?? 0) ^ (1 << (place & 7))
  }
}
