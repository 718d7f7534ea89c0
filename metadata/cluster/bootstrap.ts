import { create } from '@bufbuild/protobuf'
import { parseCode } from '../../core/erasure/code.ts'
import { GROUPS_PER_POOL_MAX, groupId } from '../../core/placement/group.ts'
import { chooseSlots, type PlacementNode } from '../../core/placement/rendezvous.ts'
import { NODES_MAX, PLACEMENT_GROUPS_PER_POOL, SMALL_OBJECT_BYTES_MAX } from '../../core/limits.ts'
import { type ClusterMap, ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'

/** What a new cluster is made of. Read at the first start only: from then on the cluster map says. */
export interface ClusterPlan {
  readonly nodes: readonly PlacementNode[]
  readonly pools: readonly PoolPlan[]
}

export interface PoolPlan {
  readonly name: string
  /** `rs-4-2`, `replica-3` … */
  readonly code: string
  /** As S3 names it: `STANDARD`. */
  readonly storageClass: string
  /** Largest object that goes here; 0: no limit. */
  readonly objectBytesMax: number
  /** Placement groups. */
  readonly groups: number
}

/** The plan breaks a rule; nothing was made. */
export class ClusterPlanError extends Error {
  override readonly name = 'ClusterPlanError'
}

/** The pools of a cluster that asks for nothing else: erasure-coded, and whole copies of what is small. */
export function defaultPools(code = 'rs-4-2'): PoolPlan[] {
  const storageClass = 'STANDARD'
  const groups = PLACEMENT_GROUPS_PER_POOL
  return [
    { name: 'standard', code, storageClass, objectBytesMax: 0, groups },
    {
      name: 'standard-small',
      code: 'replica-3',
      storageClass,
      objectBytesMax: SMALL_OBJECT_BYTES_MAX,
      groups,
    },
  ]
}

/**
 * The first map of a cluster: zones and nodes as planned, slots chosen by weighted rendezvous under the zone rule.
 * @throws {ClusterPlanError}
 * @throws {CodeNameError}
 */
export function firstMap(clusterId: string, { nodes, pools }: ClusterPlan): ClusterMap {
  assertNodes(nodes)
  assertPools(pools)
  return create(ClusterMapSchema, {
    clusterId,
    epoch: 1n,
    poolIdMax: pools.length,
    zones: [...new Set(nodes.map(({ zone }) => zone))].sort().map((id) => ({ id })),
    nodes: nodes.map(({ id, zone, weight }) => ({ id, zone, weight })),
    pools: pools.map(({ name, code, storageClass, objectBytesMax, groups }, index) => ({
      id: index + 1,
      name,
      code,
      storageClass,
      objectBytesMax: BigInt(objectBytesMax),
      groups: Array.from({ length: groups }, (_, group) => {
        const id = groupId(index + 1, group)
        return { id, slots: chooseSlots(id, parseCode(code).total, nodes).map((node) => ({ node })) }
      }),
    })),
  })
}

function assertNodes(nodes: readonly PlacementNode[]): void {
  if (nodes.length === 0) throw new ClusterPlanError('a cluster needs at least one storage node')
  if (nodes.length > NODES_MAX) throw new ClusterPlanError(`a cluster has at most ${NODES_MAX} storage nodes`)
  const seen = new Set<string>()
  for (const { id, zone, weight } of nodes) {
    if (id === '' || zone === '') throw new ClusterPlanError('every storage node needs an id and a zone')
    if (seen.has(id)) throw new ClusterPlanError(`two storage nodes are called ${id}`)
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new ClusterPlanError(`the weight of storage node ${id} must be a number above 0`)
    }
    seen.add(id)
  }
}

function assertPools(pools: readonly PoolPlan[]): void {
  if (pools.length === 0) throw new ClusterPlanError('a cluster needs at least one pool')
  const seen = new Set<string>()
  for (const { name, groups } of pools) {
    if (name === '') throw new ClusterPlanError('every pool needs a name')
    if (seen.has(name)) throw new ClusterPlanError(`two pools are called ${name}`)
    if (!Number.isInteger(groups) || groups < 1 || groups > GROUPS_PER_POOL_MAX) {
      throw new ClusterPlanError(`pool ${name} needs 1 to ${GROUPS_PER_POOL_MAX} placement groups`)
    }
    seen.add(name)
  }
}
