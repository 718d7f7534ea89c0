import { compareBytes, type KeyRange } from '../../core/keyspace/bytes.ts'
import { readBucketPurgeKey, SPACE } from '../../core/keyspace/keys.ts'
import { engineRanges } from '../../core/keyspace/partitions.ts'
import type { PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import { outboxRecords } from '../host/engine-records.ts'

/**
 * Which keys of an engine are no partition's that lies there: what moves to other engines have left behind, and what one that is under
 * way has copied there so far. Restored beside the records themselves, they would take their place, or bring back what was deleted.
 */
export function foreignRecords(table: PartitionTable, engine: string): (key: Uint8Array) => boolean {
  const here = table.partitions.filter((partition) => partition.engine === engine)
  const elsewhere = table.partitions.filter((partition) => partition.engine !== engine)
  const own = new Set(here.flatMap(({ outboxes }) => outboxes))
  const outboxes = new Set([
    ...elsewhere.flatMap((partition) => partition.outboxes),
    ...table.map.leftovers.filter((one) => one.engine === engine).flatMap((one) => one.outboxes.map(Number)),
  ])
  for (const outbox of own) outboxes.delete(outbox)
  const ranges = [
    ...elsewhere.flatMap((partition) => engineRanges(partition)),
    ...[...outboxes].flatMap((outbox) => outboxRecords(outbox)),
  ].toSorted((one, other) => compareBytes(one.gte, other.gte))
  return (key) =>
    key[0] === SPACE.bucketPurge ? outboxes.has(readBucketPurgeKey(key).partition) : isIn(ranges, key)
}

/** @param ranges in order, none meeting another */
function isIn(ranges: readonly KeyRange[], key: Uint8Array): boolean {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    const range = ranges[middle]
    if (range === undefined || compareBytes(key, range.gte) < 0) high = middle
    else if (compareBytes(key, range.lt) < 0) return true
    else low = middle + 1
  }
  return false
}
