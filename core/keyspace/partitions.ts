import { type KeyRange, next } from './bytes.ts'
import { spacesAt } from './keys.ts'
import { compareUtf8 } from './utf8.ts'

/** A point in the order of all objects: by bucket name, then by key, both in UTF-8 order. */
export interface Position {
  readonly bucket: string
  readonly key: string
}

/** A contiguous range of positions with one owner at a time. */
export interface PartitionRange {
  readonly id: number
  /** Inclusive. */
  readonly start: Position
  /** Exclusive; undefined: to the end of everything. */
  readonly end: Position | undefined
  /** The process that serves it, by the name in its lease. */
  readonly owner: string
}

/** The one partition of a cluster that has not been split. */
export function wholeRange(owner: string): PartitionRange {
  return { id: 1, start: { bucket: '', key: '' }, end: undefined, owner }
}

export function comparePositions(left: Position, right: Position): number {
  return compareUtf8(left.bucket, right.bucket) || compareUtf8(left.key, right.key)
}

export function holds(range: PartitionRange, position: Position): boolean {
  if (comparePositions(position, range.start) < 0) return false
  return range.end === undefined || comparePositions(position, range.end) < 0
}

/**
 * The partition that holds a position. `ranges` are in order, without gap or overlap, from the first position to the
 * end of everything.
 * @throws {RangeError} when they are not, and none holds it.
 */
export function partitionOf<T extends PartitionRange>(ranges: readonly T[], position: Position): T {
  let low = 0
  let high = ranges.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const range = ranges[middle]
    if (range !== undefined && comparePositions(range.start, position) <= 0) low = middle
    else high = middle - 1
  }
  const found = ranges[low]
  if (found === undefined || !holds(found, position)) {
    throw new RangeError(`no partition holds ${JSON.stringify(position)}`)
  }
  return found
}

/** The engine's keys that belong to a partition with an end: one range in each space cut by position. */
export function engineRanges(range: PartitionRange & { readonly end: Position }): KeyRange[] {
  const ends = spacesAt(range.end.bucket, range.end.key)
  return spacesAt(range.start.bucket, range.start.key).map((gte, index) => ({
    gte,
    lt: ends[index] ?? next(gte),
  }))
}
