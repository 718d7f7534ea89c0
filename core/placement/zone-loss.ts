import type { Code } from '../erasure/code.ts'
import { isReadable } from '../erasure/repair.ts'

/** What the loss of a zone would do to a pool. */
export interface ZoneLoss {
  readonly zone: string
  /** Most shards that any one group would be without, those on nodes that are down already included. */
  readonly shardsLostMax: number
  /** Every group could still be read. */
  readonly survives: boolean
  /** Every group could still be read if, on top, any one more node were lost. */
  readonly survivesOneMoreNode: boolean
}

export interface PoolLayout {
  /** Shards that a stripe can lose, whichever they are. */
  readonly m: number
  /** Needed of a locally repairable code, which can lose more than m of some. */
  readonly code?: Code
  /** Node ids by slot, of each placement group. */
  readonly groups: readonly (readonly string[])[]
}

export interface NodeState {
  readonly id: string
  readonly zone: string
  readonly up: boolean
}

/**
 * For each zone, what its loss would do to the pool as it stands. A slot on a node that is not in `nodes` counts as
 * lost.
 */
export function zoneLoss(pool: PoolLayout, nodes: readonly NodeState[]): ZoneLoss[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const zones = [...new Set(nodes.map((node) => node.zone))].sort()
  const reads = (lost: readonly number[]): boolean =>
    pool.code === undefined ? lost.length <= pool.m : isReadable(pool.code, lost)
  return zones.map((zone) => {
    let shardsLostMax = 0
    let survives = true
    let survivesOneMoreNode = true
    for (const slots of pool.groups) {
      const lost: number[] = []
      const left = new Map<string, number[]>()
      for (const [shard, id] of slots.entries()) {
        const node = byId.get(id)
        if (node?.up !== true || node.zone === zone) lost.push(shard)
        else left.set(id, [...(left.get(id) ?? []), shard])
      }
      shardsLostMax = Math.max(shardsLostMax, lost.length)
      survives &&= reads(lost)
      survivesOneMoreNode &&= survives && [...left.values()].every((more) => reads([...lost, ...more]))
    }
    return { zone, shardsLostMax, survives, survivesOneMoreNode }
  })
}
