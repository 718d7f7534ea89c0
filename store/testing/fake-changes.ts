/** Changes of the map that background work asks for. */

import { clone } from '@bufbuild/protobuf'
import { ClusterMapSchema, type ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode, type ChangeClusterRequest } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'

/** The map after a change; a document of its own, as another answer of metadata would be. */
export function changedMap(map: ClusterMap, { change }: ChangeClusterRequest): ClusterMap {
  const next = clone(ClusterMapSchema, map)
  next.epoch++
  switch (change.case) {
    case 'finishSlots':
      for (const { group, shard, node, source, since } of change.value.slots) {
        const slot = next.pools.flatMap((pool) => pool.groups).find(({ id }) => id === group)?.slots[shard]
        if (slot?.node !== node || slot.source !== source || slot.since !== since) continue
        slot.source = ''
        slot.filling = false
        slot.since = next.epoch
      }
      return next
    case 'removePool':
      next.pools = next.pools.filter(({ id }) => id !== change.value.pool)
      return next
    default:
      throw new MetadataError(FailureCode.INVALID_REQUEST, `the fake knows no ${change.case ?? 'nothing'}`)
  }
}
