/** Cluster maps for tests: small, regular, and the same every time. */

import type { MessageInitShape } from '@bufbuild/protobuf'
import { parseCode } from '../../core/erasure/code.ts'
import type { ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'

export interface MapShape {
  readonly zones?: number
  readonly nodesPerZone?: number
  /** Code of the pool of small objects, up to 32 KiB; none if empty. */
  readonly small?: string
  /** Code of the pool without a limit. */
  readonly large?: string
  readonly groups?: number
  readonly epoch?: number
}

/** Zones a, b, c …; nodes a1, a2, b1 …; each group's slots go round the zones, starting elsewhere each. */
export function clusterMap(shape: MapShape = {}): MessageInitShape<typeof ClusterMapSchema> {
  const { zones = 3, nodesPerZone = 2, small = 'replica-3', large = 'rs-4-2', groups = 8, epoch = 1 } = shape
  const zoneIds = Array.from({ length: zones }, (_, i) => 'abcdefghijklmnopqrstuvwxyz'.charAt(i))
  const nodes = zoneIds.flatMap((zone) =>
    Array.from({ length: nodesPerZone }, (_, i) => ({ id: `${zone}${i + 1}`, zone, weight: 1 })),
  )
  const slot = (group: number, shard: number): { node: string } => {
    const zone = zoneIds[(group + shard) % zones] ?? ''
    return { node: `${zone}${(Math.floor(shard / zones) % nodesPerZone) + 1}` }
  }
  const pool = (id: number, name: string, code: string, objectBytesMax: bigint) => ({
    id,
    name,
    code,
    storageClass: 'STANDARD',
    objectBytesMax,
    groups: Array.from({ length: groups }, (_, group) => ({
      id: id * 65536 + group,
      slots: Array.from({ length: parseCode(code).total }, (__, shard) => slot(group, shard)),
    })),
  })
  return {
    format: 1,
    clusterId: 'test',
    epoch: BigInt(epoch),
    zones: zoneIds.map((id) => ({ id })),
    nodes,
    pools: [...(small === '' ? [] : [pool(1, 'small', small, 32n * 1024n)]), pool(2, 'large', large, 0n)],
  }
}
