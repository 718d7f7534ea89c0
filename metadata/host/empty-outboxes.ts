import { bucketPurgeSpace, orderReserveKey, outboxRange, outboxReserveKey } from '../../core/keyspace/keys.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import type { Partition } from '../partition/partition.ts'
import { hasBucketMarkers } from '../partition/purge.ts'
import { forgetOutboxesPlan } from './map-plans.ts'
import type { OwnedPartition } from './owned.ts'

/**
 * Takes the outboxes of partitions that were merged into this one off the map, once all of their tasks are done: nobody adds to them.
 * @throws {MetadataError}
 */
export async function forgetEmptyOutboxes(
  { partition, copying }: OwnedPartition,
  maps: PartitionMaps,
  self: string,
): Promise<void> {
  if (!partition.outbox.counted || copying !== undefined) return
  const [id, ...adopted] = partition.outboxes
  const empty: number[] = []
  for (const outbox of adopted) if (await isEmpty(partition, outbox)) empty.push(outbox)
  if (id === undefined || empty.length === 0) return
  await maps.change(forgetOutboxesPlan(id, self, empty))
  for (const outbox of empty) partition.forgetOutbox(outbox)
  partition.enqueue({
    deletes: empty.flatMap((outbox) => [outboxReserveKey(outbox), orderReserveKey(outbox)]),
  })
  await partition.settled()
}

async function isEmpty(partition: Partition, outbox: number): Promise<boolean> {
  const ranges = (['garbage', 'repair'] as const).map((kind) => ({ ...outboxRange(outbox, kind), limit: 1 }))
  const found = await partition.scanTogether(ranges)
  if (found.some((entries) => entries.length > 0)) return false
  // Uploads of buckets that are gone are found by its id, too.
  return !(await hasBucketMarkers(partition, bucketPurgeSpace(), [outbox]))
}
