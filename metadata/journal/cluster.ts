import { MemberState, NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { JournalCluster } from './journal.ts'

/** The storage nodes of the cluster map as the journal uses them. */
export function journalCluster(
  cluster: Pick<Cluster, 'map' | 'liveness'>,
  shards: (addressOf: (node: string) => string | undefined) => ShardTransport,
): JournalCluster {
  return {
    shards: shards((node) => cluster.liveness.of(node).address || undefined),
    nodes: () => {
      const { zones, nodes } = cluster.map
      const draining = new Set(zones.flatMap(({ id, state }) => (state === MemberState.DRAINING ? [id] : [])))
      return nodes.map(({ id, zone, state }) => {
        const { up, condition } = cluster.liveness.of(id)
        const leaving = state === MemberState.DRAINING || draining.has(zone)
        const stays = state !== MemberState.LOST && !leaving
        return {
          id,
          zone,
          stays,
          usable: up && stays && condition !== NodeCondition.READ_ONLY,
          leaving: up && leaving,
        }
      })
    },
  }
}
