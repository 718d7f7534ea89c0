import { type Code, parseCode } from '../../erasure/code.ts'
import { isReadable } from '../../erasure/repair.ts'
import type { TopologyMap, TopologyNode, TopologyPool } from './model.ts'

/** Of a map, what is asked about here: where the slots are, whether they fill or not. */
export interface LayoutMap {
  readonly nodes: readonly Pick<TopologyNode, 'id' | 'zone' | 'state'>[]
  readonly pools: readonly LayoutPool[]
}

export interface LayoutPool extends Pick<TopologyPool, 'name' | 'code' | 'state'> {
  readonly groups: readonly { readonly slots: readonly { readonly node: string }[] }[]
}

/** What a change would take from a pool: a sentence each, without the pool's name. */
export interface Worsening {
  readonly pool: string
  readonly what: string
}

/**
 * Where the second map could lose less than the first: a group on fewer nodes, or a node or a zone whose loss would make
 * blobs unreadable and did not before. Pools by id, groups by index; those of one map only are left out.
 */
export function worsenings(from: TopologyMap, to: TopologyMap): Worsening[] {
  const result: Worsening[] = []
  for (const pool of to.pools) {
    const before = from.pools.find(({ id }) => id === pool.id)
    if (before === undefined || before === pool) continue
    const was = new PoolView(from, before)
    const is = new PoolView(to, pool)
    const fewer = pool.groups.filter((_, group) => is.distinct(group) < was.distinct(group)).length
    if (fewer > 0) {
      const all = pool.groups.length
      result.push({
        pool: pool.name,
        what: `${fewer} of its ${all} placement groups would be on fewer nodes`,
      })
    }
    for (const [kind, fatalIs, fatalWas] of [
      ['zone', is.fatalZones(), was.fatalZones()],
      ['node', is.fatalNodes(), was.fatalNodes()],
    ] as const) {
      const fresh = [...fatalIs].filter((id) => !fatalWas.has(id))
      if (fresh.length > 0) {
        result.push({
          pool: pool.name,
          what: `the loss of ${kind} ${fresh.join(' or ')} would make objects unreadable`,
        })
      }
    }
  }
  return result
}

/**
 * What the cluster could not survive with every node up that is not lost: the limits of its layout, which only more nodes or
 * zones or another code would lift. A sentence each; pools that retire are left out.
 */
export function layoutWarnings(map: LayoutMap): string[] {
  const warnings: string[] = []
  const nodes = map.nodes.filter(({ state }) => state !== 'lost').length
  for (const pool of map.pools) {
    if (pool.state === 'retiring') continue
    const { total } = parseCode(pool.code)
    if (nodes < total) {
      warnings.push(
        `${pool.code} cuts a stripe into ${total} shards for ${nodes} ${nodes === 1 ? 'node' : 'nodes'}: some nodes hold several`,
      )
    }
    const view = new PoolView(map, pool)
    const zones = [...view.fatalZones()].sort()
    if (view.fatalNodes().size > 0) {
      warnings.push(`the loss of a single node would make objects of pool ${pool.name} unreadable`)
    } else if (zones.length > 0) {
      warnings.push(
        `the loss of a zone (${zones.join(', ')}) would make objects of pool ${pool.name} unreadable`,
      )
    }
  }
  return warnings
}

/** Whether the loss of some single node would make objects of the pool unreadable. */
export function hasFatalNode(map: TopologyMap, pool: TopologyPool): boolean {
  return new PoolView(map, pool).fatalNodes().size > 0
}

class PoolView {
  readonly #code: Code
  readonly #pool: LayoutPool
  readonly #zones: ReadonlyMap<string, string>

  constructor(map: LayoutMap, pool: LayoutPool) {
    this.#code = parseCode(pool.code)
    this.#pool = pool
    this.#zones = new Map(map.nodes.filter(({ state }) => state !== 'lost').map(({ id, zone }) => [id, zone]))
  }

  /** Nodes of the group that are not lost. */
  distinct(group: number): number {
    const nodes = this.#pool.groups[group]?.slots.map(({ node }) => node) ?? []
    return new Set(nodes.filter((node) => this.#zones.has(node))).size
  }

  fatalZones(): Set<string> {
    return this.#fatal((node) => this.#zones.get(node))
  }

  fatalNodes(): Set<string> {
    return this.#fatal((node) => (this.#zones.has(node) ? node : undefined))
  }

  /** Units whose loss, on top of what is lost, leaves some group unreadable; `unitOf` a lost node is undefined. */
  #fatal(unitOf: (node: string) => string | undefined): Set<string> {
    const fatal = new Set<string>()
    for (const { slots } of this.#pool.groups) {
      const units = slots.map(({ node }) => unitOf(node))
      for (const unit of new Set(units)) {
        if (unit === undefined || fatal.has(unit)) continue
        const lost = [...units.keys()].filter((shard) => units[shard] === unit || units[shard] === undefined)
        if (!isReadable(this.#code, lost)) fatal.add(unit)
      }
    }
    return fatal
  }
}
