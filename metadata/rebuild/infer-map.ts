/** A cluster map made of where shards lie. Pure. */

import { create } from '@bufbuild/protobuf'
import { parseCode } from '../../core/erasure/code.ts'
import { groupId, poolOfGroup } from '../../core/placement/group.ts'
import { chooseSlots } from '../../core/placement/rendezvous.ts'
import {
  type ClusterMap,
  ClusterMapSchema,
  type Pool,
  PoolSchema,
  PoolState,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { type ClusterPlan, firstMap, type PoolPlan } from '../cluster/bootstrap.ts'

/** A placement group as a sample of its shards shows it. */
export interface SeenGroup {
  readonly id: number
  /** Of its blobs. */
  readonly code: string
  /** The largest blob in the sample, bytes. */
  readonly blobBytesMax: number
  /** For each shard number and node, how many of them lie there. */
  readonly votes: readonly { readonly shard: number; readonly node: string; readonly count: number }[]
}

/**
 * The map of a cluster that was planned so, as far as its shards do not say otherwise: a slot is on the node that has most shards
 * of it; a pool has the code of its blobs. Of a pool that was not planned, one of the planned is the successor or the
 * predecessor: which, its largest blobs tell, and of such pools the one with the highest id is in use, the others retire.
 *
 * @param epoch ahead of any that nodes have heard of
 * @throws {ClusterPlanError}
 * @throws {CodeNameError} blobs are of a code that this program does not know
 */
export function inferMap(
  clusterId: string,
  plan: ClusterPlan,
  seen: readonly SeenGroup[],
  epoch: bigint,
): ClusterMap {
  const base = firstMap(clusterId, plan)
  const byPool = Map.groupBy(seen, ({ id }) => poolOfGroup(id))
  const untouched = base.pools.filter(({ id }) => !byPool.has(id))
  const pools = [...byPool].map(([id, groups]) => poolOf(id, groups, plan))
  const all = [...untouched, ...pools].toSorted((a, b) => a.id - b.id)
  for (const [name, alike] of Map.groupBy(all, (pool) => pool.name)) {
    const newest = alike.at(-1)
    for (const pool of alike) {
      if (pool === newest) continue
      pool.state = PoolState.RETIRING
      pool.name = `${name}-${pool.id}`
    }
  }
  return create(ClusterMapSchema, {
    format: base.format,
    clusterId,
    epoch,
    zones: base.zones,
    nodes: base.nodes,
    // One that was planned and has no blobs, while another took its place, would be retired only to be removed.
    pools: all.filter((pool) => pool.state !== PoolState.RETIRING || byPool.has(pool.id)),
    poolIdMax: Math.max(...all.map(({ id }) => id)),
  })
}

function poolOf(id: number, seen: readonly SeenGroup[], plan: ClusterPlan): Pool {
  const code = mostCommon(seen.map((group) => group.code))
  const planned = roleOf(seen, plan)
  const byId = new Map(seen.map((group) => [group.id, group]))
  const highest = Math.max(...byId.keys()) - groupId(id, 0) + 1
  const count = Math.max(planned.groups, highest)
  return create(PoolSchema, {
    id,
    name: planned.name,
    code,
    storageClass: planned.storageClass,
    objectBytesMax: BigInt(planned.objectBytesMax),
    groups: Array.from({ length: count }, (_, index) => {
      const group = groupId(id, index)
      const chosen = chooseSlots(group, parseCode(code).total, plan.nodes)
      return { id: group, slots: slotsOf(chosen, byId.get(group), plan).map((node) => ({ node })) }
    }),
  })
}

/** The planned pool that these are the blobs of: that with the smallest limit they fit. */
function roleOf(seen: readonly SeenGroup[], { pools }: ClusterPlan): PoolPlan {
  const largest = Math.max(...seen.map(({ blobBytesMax }) => blobBytesMax))
  const limitOf = ({ objectBytesMax }: PoolPlan): number =>
    objectBytesMax === 0 ? Number.POSITIVE_INFINITY : objectBytesMax
  const [role] = pools.filter((pool) => largest <= limitOf(pool)).toSorted((a, b) => limitOf(a) - limitOf(b))
  const [first] = pools
  if (role !== undefined) return role
  if (first === undefined) throw new RangeError('a cluster needs at least one pool')
  return first
}

/** For each shard the node that has most of them; where none has any, the one that would be chosen. */
function slotsOf(chosen: readonly string[], seen: SeenGroup | undefined, { nodes }: ClusterPlan): string[] {
  const known = new Set(nodes.map(({ id }) => id))
  return chosen.map((node, shard) => {
    let best = { node, count: 0 }
    for (const vote of seen?.votes ?? []) {
      if (vote.shard !== shard || !known.has(vote.node)) continue
      const more = vote.count > best.count || (vote.count === best.count && vote.node === node)
      if (more) best = vote
    }
    return best.node
  })
}

function mostCommon(texts: readonly string[]): string {
  const counts = [...Map.groupBy(texts, (text) => text)].map(([text, all]) => ({ text, count: all.length }))
  return counts.toSorted((a, b) => b.count - a.count)[0]?.text ?? ''
}
