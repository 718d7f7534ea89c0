import { compareBytes, type KeyRange, prefixRange } from './bytes.ts'
import { ROOT_PARTITION, spacesAt } from './keys.ts'
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
}

export const FIRST_POSITION: Position = { bucket: '', key: '' }

/** The one partition of a cluster that has not been split. */
export const WHOLE_RANGE: PartitionRange = { id: 1, start: FIRST_POSITION, end: undefined }

/** Holds no position. */
export const ROOT_RANGE: PartitionRange = { id: ROOT_PARTITION, start: FIRST_POSITION, end: FIRST_POSITION }

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

/** The engine's keys that belong to a partition: one range in each space cut by position. */
export function engineRanges({ start, end }: Omit<PartitionRange, 'id'>): KeyRange[] {
  const ends = end === undefined ? undefined : spacesAt(end.bucket, end.key)
  return spacesAt(start.bucket, start.key).map((gte, index) => ({
    gte,
    lt: ends?.[index] ?? prefixRange(gte.subarray(0, 1)).lt,
  }))
}

/**
 * Cuts a range of one space of the engine to what belongs to a partition; the same range in a space that is not cut by
 * position. What lies outside is another partition's.
 */
export function createClip(range: PartitionRange): <T extends KeyRange>(wanted: T) => T {
  const { start, end } = range
  if (end === undefined && comparePositions(start, FIRST_POSITION) === 0) return (wanted) => wanted
  const bounds = new Map(engineRanges(range).map((bound) => [bound.gte[0], bound]))
  return (wanted) => {
    const bound = bounds.get(wanted.gte[0])
    if (bound === undefined) return wanted
    const gte = compareBytes(wanted.gte, bound.gte) < 0 ? bound.gte : wanted.gte
    const lt = compareBytes(wanted.lt, bound.lt) > 0 ? bound.lt : wanted.lt
    return { ...wanted, gte, lt }
  }
}
