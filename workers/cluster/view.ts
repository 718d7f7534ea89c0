/** The cluster as background work sees it: where shards belong, and which nodes can be asked. Immutable. */

import { parseCode, type Code } from '../../core/erasure/code.ts'
import {
  MemberState,
  NodeCondition,
  PoolState,
  type ClusterMap,
  type NodeLiveness,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'

export interface WorkNode {
  readonly id: string
  readonly zone: string
  /** It can be asked: its lease holds, and it is not given up for lost. */
  readonly up: boolean
  /** Up, and takes writes. */
  readonly writable: boolean
  /** It will not come back. */
  readonly lost: boolean
  readonly damagedShards: number
  /** When its process began, Unix milliseconds by its own clock. */
  readonly startedMs: number
}

export interface WorkSlot {
  readonly node: string
  /** While the slot moves: where its shards still are; empty if they are nowhere. */
  readonly source: string
  /** The node may lack some of its shards as yet. */
  readonly filling: boolean
  /** Epoch of the change that made it so. */
  readonly since: bigint
}

export interface WorkPool {
  readonly id: number
  readonly name: string
  readonly code: Code
  readonly retiring: boolean
  readonly groups: readonly WorkGroup[]
}

export interface WorkGroup {
  readonly id: number
  readonly pool: WorkPool
  readonly slots: readonly WorkSlot[]
}

export class WorkView {
  readonly epoch: number
  readonly map: ClusterMap
  readonly nodes: ReadonlyMap<string, WorkNode>
  readonly pools: readonly WorkPool[]
  readonly groups: ReadonlyMap<number, WorkGroup>

  /** @throws {CodeNameError} when a pool names a code this program does not know */
  constructor(map: ClusterMap, liveness: readonly NodeLiveness[], previous?: WorkView) {
    this.map = map
    this.epoch = Number(map.epoch)
    this.nodes = viewNodes(map, liveness, previous)
    if (previous?.map === map) {
      this.pools = previous.pools
      this.groups = previous.groups
    } else {
      this.pools = map.pools.map(viewPool)
      this.groups = new Map(this.pools.flatMap((pool) => pool.groups.map((group) => [group.id, group])))
    }
  }

  isUp(node: string): boolean {
    return this.nodes.get(node)?.up === true
  }

  isWritable(node: string): boolean {
    return this.nodes.get(node)?.writable === true
  }
}

/** Whether the group's shards belong where they did, and have all the time. */
export function sameSlots(a: WorkGroup, b: WorkGroup): boolean {
  return (
    a.slots.length === b.slots.length &&
    a.slots.every((slot, shard) => {
      const other = b.slots[shard]
      const same = slot.node === other?.node && slot.source === other.source
      return same && slot.filling === other.filling && slot.since === other.since
    })
  )
}

/** A node that metadata is unsure of is what it was before; one that nobody knew is up until it fails a request. */
function viewNodes(
  map: ClusterMap,
  liveness: readonly NodeLiveness[],
  previous: WorkView | undefined,
): Map<string, WorkNode> {
  const leases = new Map(liveness.map((lease) => [lease.node, lease]))
  return new Map(
    map.nodes.map(({ id, zone, state }) => {
      const lost = state === MemberState.LOST
      const lease = leases.get(id)
      const known = lease?.unsure === true ? previous?.nodes.get(id) : undefined
      const up = !lost && (known?.up ?? (lease !== undefined && (lease.up || lease.unsure)))
      const writable = up && lease?.condition !== NodeCondition.READ_ONLY
      const damagedShards = Number(lease?.damagedShards ?? 0n)
      const startedMs = Number(lease?.startedMs ?? 0n)
      return [id, { id, zone, up, writable, lost, damagedShards, startedMs }]
    }),
  )
}

function viewPool(pool: ClusterMap['pools'][number]): WorkPool {
  const groups: WorkGroup[] = []
  const view: WorkPool = {
    id: pool.id,
    name: pool.name,
    code: parseCode(pool.code),
    retiring: pool.state === PoolState.RETIRING,
    groups,
  }
  for (const { id, slots } of pool.groups) {
    groups.push({
      id,
      pool: view,
      slots: slots.map(({ node, source, filling, since }) => {
        return { node, source, filling: filling || source !== '', since }
      }),
    })
  }
  return view
}
