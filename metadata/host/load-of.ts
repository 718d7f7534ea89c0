import { create } from '@bufbuild/protobuf'
import { type PartitionLoad, PartitionLoadSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { OwnedPartition } from './owned.ts'

/** What a partition does, as its owner counts it. */
export function loadOf({ partition }: OwnedPartition): PartitionLoad {
  const { garbage, repair } = partition.outbox.backlog
  return create(PartitionLoadSchema, {
    id: BigInt(partition.range.id),
    garbageWaiting: BigInt(garbage),
    repairsWaiting: BigInt(repair),
  })
}
