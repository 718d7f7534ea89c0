/** One look at the cluster, made ready for use: the map and what the leases say. Immutable. */

import type { Code } from '../../core/erasure/code.ts'
import { parseCode } from '../../core/erasure/code.ts'
import type { ClusterMap, NodeLiveness } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { MemberState, NodeCondition, PoolState } from '../../proto/gen/ashlar/v1/cluster_pb.js'

const DEFAULT_STORAGE_CLASS = 'STANDARD'

export interface NodeView {
  readonly id: string
  readonly zone: string
  /** Its lease holds. */
  readonly up: boolean
  /** Up, and takes writes. */
  readonly writable: boolean
  /** Why not, as the node says; empty while it is writable. */
  readonly reason: string
}

export interface SlotView {
  readonly node: string
  /** While the slot moves: where its shards still are; empty otherwise. */
  readonly source: string
}

export interface GroupView {
  readonly id: number
  readonly pool: PoolView
  readonly slots: readonly SlotView[]
}

export interface PoolView {
  readonly id: number
  readonly name: string
  readonly code: Code
  readonly storageClass: string
  /** Largest object it takes, bytes; Infinity without a limit. */
  readonly objectBytesMax: number
  readonly groups: readonly GroupView[]
  /** Another pool took its place: nothing new is written here. */
  readonly retiring: boolean
}

export class ClusterSnapshot {
  readonly epoch: number
  readonly map: ClusterMap
  readonly nodes: ReadonlyMap<string, NodeView>
  readonly pools: readonly PoolView[]
  readonly #groups: ReadonlyMap<number, GroupView>

  /** @throws {CodeNameError} when a pool names a code this program does not know */
  constructor(map: ClusterMap, liveness: readonly NodeLiveness[], previous?: ClusterSnapshot) {
    this.map = map
    this.epoch = Number(map.epoch)
    this.nodes = viewNodes(map, liveness, previous)
    // Liveness is looked at every second, the map changes by the month: its views are carried over.
    if (previous?.map === map) {
      this.pools = previous.pools
      this.#groups = previous.#groups
    } else {
      this.pools = map.pools.map(viewPool)
      this.#groups = new Map(this.pools.flatMap((pool) => pool.groups.map((group) => [group.id, group])))
    }
  }

  group(id: number): GroupView | undefined {
    return this.#groups.get(id)
  }

  /**
   * The pool of that storage class with the smallest limit that `size` bytes fit, and that is not retiring. A class that no pool is of is kept where
   * STANDARD is: it is recorded with the object, and a map that gives it pools has them used from then on.
   */
  poolFor(storageClass: string, size: number): PoolView | undefined {
    const ofItsOwn = this.pools.some((pool) => pool.storageClass === storageClass)
    const poolClass = ofItsOwn ? storageClass : DEFAULT_STORAGE_CLASS
    let best: PoolView | undefined
    for (const pool of this.pools) {
      const fits = pool.storageClass === poolClass && size <= pool.objectBytesMax && pool.groups.length > 0
      if (!fits || pool.retiring) continue
      if (best === undefined || pool.objectBytesMax < best.objectBytesMax) best = pool
    }
    return best
  }
}

/** A node that metadata is unsure of is what it was before; one that nobody knew is up until it fails a request. */
function viewNodes(
  map: ClusterMap,
  liveness: readonly NodeLiveness[],
  previous: ClusterSnapshot | undefined,
): Map<string, NodeView> {
  const leases = new Map(liveness.map((lease) => [lease.node, lease]))
  return new Map(
    map.nodes.map(({ id, zone, state }) => {
      // Should it run again, what it takes or has counts for nothing until it is made active.
      if (state === MemberState.LOST) {
        return [id, { id, zone, up: false, writable: false, reason: 'given up for lost' }]
      }
      const lease = leases.get(id)
      const known = lease?.unsure === true ? previous?.nodes.get(id) : undefined
      if (known?.zone === zone) return [id, known]
      const up = lease !== undefined && (lease.up || lease.unsure)
      const writable = up && lease?.condition !== NodeCondition.READ_ONLY
      // A suspect node takes writes; its reason is told all the same.
      const reason = up ? (lease?.reason ?? '') : 'no lease'
      return [id, { id, zone, up, writable, reason }]
    }),
  )
}

function viewPool(pool: ClusterMap['pools'][number]): PoolView {
  const groups: GroupView[] = []
  const view: PoolView = {
    id: pool.id,
    name: pool.name,
    code: parseCode(pool.code),
    storageClass: pool.storageClass,
    objectBytesMax: pool.objectBytesMax === 0n ? Number.POSITIVE_INFINITY : Number(pool.objectBytesMax),
    groups,
    retiring: pool.state === PoolState.RETIRING,
  }
  for (const { id, slots } of pool.groups) {
    groups.push({ id, pool: view, slots: slots.map(({ node, source }) => ({ node, source })) })
  }
  return view
}
