import { isWithin, type KeyRange, next } from '../../core/keyspace/bytes.ts'
import {
  bucketPurgeSpace,
  orderReserveKey,
  outboxRange,
  outboxReserveKey,
  readBucketPurgeKey,
} from '../../core/keyspace/keys.ts'
import { engineRanges, type PartitionRange } from '../../core/keyspace/partitions.ts'

/** Keys of an engine, of which some may be others'. */
export interface RecordRange extends KeyRange {
  /** Of a key in the range: whether it is meant. */
  readonly holds: (key: Uint8Array) => boolean
}

/**
 * Where all records of a partition lie in its engine, but for its lease: those of its range, and by their ids, its outboxes,
 * sequences and the markers of buckets that are gone.
 */
export function recordsOf(
  range: Omit<PartitionRange, 'id'>,
  outboxes: readonly number[],
): readonly RecordRange[] {
  const ids = new Set(outboxes)
  const whole = ({ gte, lt }: KeyRange): RecordRange => ({ gte, lt, holds: () => true })
  return [
    ...engineRanges(range).map(whole),
    ...outboxes.flatMap((id) => outboxRecords(id).map(whole)),
    // They lie by bucket, and only then by partition.
    { ...bucketPurgeSpace(), holds: (key) => ids.has(readBucketPurgeKey(key).partition) },
  ]
}

/** Where the tasks and the sequences of one outbox lie. */
export function outboxRecords(id: number): KeyRange[] {
  const single = (key: Uint8Array): KeyRange => ({ gte: key, lt: next(key) })
  return [
    outboxRange(id, 'garbage'),
    outboxRange(id, 'repair'),
    single(outboxReserveKey(id)),
    single(orderReserveKey(id)),
  ]
}

export function isAmong(ranges: readonly RecordRange[], key: Uint8Array): boolean {
  return ranges.some((range) => isWithin(range, key) && range.holds(key))
}
