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
  /** Shards that a stripe can lose. */
  readonly m: number
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
  return zones.map((zone) => {
    let shardsLostMax = 0
    let withOneMoreMax = 0
    for (const slots of pool.groups) {
      const left = slots.filter((id) => {
        const node = byId.get(id)
        return node !== undefined && node.up && node.zone !== zone
      })
      const lost = slots.length - left.length
      shardsLostMax = Math.max(shardsLostMax, lost)
      withOneMoreMax = Math.max(withOneMoreMax, lost + mostOnOne(left))
    }
    return {
      zone,
      shardsLostMax,
      survives: shardsLostMax <= pool.m,
      survivesOneMoreNode: withOneMoreMax <= pool.m,
    }
  })
}

/** How often the most frequent id occurs. */
function mostOnOne(ids: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return Math.max(0, ...counts.values())
}
