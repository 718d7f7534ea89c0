/** Maps for tests of topology planning. */

import { parseCode } from '../../erasure/code.ts'
import { groupId } from '../group.ts'
import { chooseSlots, type PlacementNode } from '../rendezvous.ts'
import { applyChange } from './change.ts'
import type {
  NodeFacts,
  TopologyChange,
  TopologyContext,
  TopologyGroup,
  TopologyMap,
  TopologyPool,
  TopologyResult,
} from './model.ts'

/** The first map of a cluster of these nodes, with one pool a code. */
export function mapOf(nodes: readonly PlacementNode[], codes: readonly string[], groups = 16): TopologyMap {
  return {
    epoch: 1,
    poolIdMax: codes.length,
    zones: [...new Set(nodes.map(({ zone }) => zone))].sort().map((id) => ({ id, state: 'active' })),
    nodes: nodes.map((node) => ({ ...node, state: 'active' })),
    pools: codes.map((code, index): TopologyPool => {
      const id = index + 1
      return {
        id,
        name: `pool-${id}`,
        code,
        storageClass: 'STANDARD',
        objectBytesMax: 0,
        state: 'active',
        groups: Array.from({ length: groups }, (_, at): TopologyGroup => {
          const group = groupId(id, at)
          const chosen = chooseSlots(group, parseCode(code).total, nodes)
          return { id: group, slots: chosen.map((node) => ({ node, source: '', filling: false })) }
        }),
      }
    }),
  }
}

/** Zones a, b, c … with nodes a1, a2 … of weight 1. */
export function evenNodes(zones: number, nodesPerZone: number): PlacementNode[] {
  return Array.from({ length: zones }, (_, zone) => 'abcdefgh'.charAt(zone)).flatMap((zone) =>
    Array.from({ length: nodesPerZone }, (_, index) => ({ id: `${zone}${index + 1}`, zone, weight: 1 })),
  )
}

export function contextOf(more: Partial<TopologyContext> = {}): TopologyContext {
  return { force: false, facts: new Map(), blobs: new Map(), silent: [], ...more }
}

/** Nodes that are down. */
export function down(...nodes: readonly string[]): ReadonlyMap<string, NodeFacts> {
  return new Map(nodes.map((node) => [node, { liveness: 'down', writable: true, shards: 1 }]))
}

/** Slots of the map that the node has, or, with `of`, of one pool. */
export function loadOf(map: TopologyMap, node: string, of?: number): number {
  let count = 0
  for (const { id, groups } of map.pools) {
    if (of !== undefined && id !== of) continue
    for (const { slots } of groups) count += slots.filter((slot) => slot.node === node).length
  }
  return count
}

/** All moves done: what backfill would report in the end. */
export function finishedLines(map: TopologyMap) {
  return map.pools.flatMap(({ groups }) =>
    groups.flatMap((group) =>
      group.slots.flatMap(({ node, source, filling, since = 0 }, shard) =>
        filling ? [{ group: group.id, shard, node, source, since }] : [],
      ),
    ),
  )
}

/** The change, with nothing known of any node unless said. */
export function change(
  map: TopologyMap,
  what: TopologyChange,
  more: Parameters<typeof contextOf>[0] = {},
): TopologyResult {
  return applyChange(map, what, contextOf(more))
}

/** All moves at their end. */
export function finish(map: TopologyMap): TopologyMap {
  return change(map, { kind: 'finish-slots', slots: finishedLines(map) }).map
}

/** Distinct nodes of each group. */
export function spread(map: TopologyMap): number[] {
  return map.pools.flatMap(({ groups }) =>
    groups.map(({ slots }) => new Set(slots.map(({ node }) => node)).size),
  )
}

/** Shards of each group by zone. */
export function zoneShares(map: TopologyMap): Record<string, number>[] {
  const zones = new Map(map.nodes.map(({ id, zone }) => [id, zone]))
  return map.pools.flatMap(({ groups }) =>
    groups.map(({ slots }) => {
      const shares: Record<string, number> = {}
      for (const { node } of slots) shares[zones.get(node) ?? ''] = (shares[zones.get(node) ?? ''] ?? 0) + 1
      return shares
    }),
  )
}
