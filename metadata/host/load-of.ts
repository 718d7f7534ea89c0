import { create } from '@bufbuild/protobuf'
import { engineRanges } from '../../core/keyspace/partitions.ts'
import { type PartitionLoad, PartitionLoadSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Engine, EngineEstimate } from '../engine/engine.ts'
import type { OwnedPartition } from './owned.ts'

/** What a partition does, as its owner counts it. */
export function loadOf(owned: OwnedPartition): PartitionLoad {
  const { partition, meter, size, indivisible } = owned
  const { garbage, repair } = partition.outbox.backlog
  const { writes, reads } = meter.rates()
  const split = meter.splitKey(partition.range)
  const { entries, bytes } = size
  return create(PartitionLoadSchema, {
    id: BigInt(partition.range.id),
    writes: [...writes],
    reads: [...reads],
    garbageWaiting: BigInt(garbage),
    repairsWaiting: BigInt(repair),
    ...(entries === undefined ? {} : { entries: BigInt(Math.round(entries)) }),
    ...(bytes === undefined ? {} : { bytes: BigInt(Math.round(bytes)) }),
    ...(split.at === undefined
      ? { splitObstacle: split.reason }
      : { splitAt: split.at, splitShare: split.share }),
    indivisible,
    refused: BigInt(meter.refused),
  })
}

/** What lies in the ranges of a partition, roughly. */
export async function estimatePartition(
  engine: Engine,
  { partition }: OwnedPartition,
): Promise<EngineEstimate> {
  const parts = await Promise.all(engineRanges(partition.range).map((range) => engine.estimate(range)))
  const sum = (values: readonly (number | undefined)[]): number | undefined =>
    values.includes(undefined) ? undefined : values.reduce<number>((total, one) => total + (one ?? 0), 0)
  return { entries: sum(parts.map(({ entries }) => entries)), bytes: sum(parts.map(({ bytes }) => bytes)) }
}
