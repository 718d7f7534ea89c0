import { parseCode } from '../erasure/code.ts'
import type { TopologyMap, TopologyPool } from '../placement/topology/model.ts'
import { spareCounts } from './group-risk.ts'
import type { InventoryLine } from './inventory.ts'

/** Blobs by shards to spare, least first: `[spare, blobs]`. */
export type SpareLines = readonly (readonly [spare: number, blobs: number])[]

export interface ZoneRisk {
  readonly zone: string
  /** Blobs that could not be read if the zone went now, what is down already being down. */
  readonly unreadable: number
  /** Of those, lost for good even if all nodes elsewhere that are down came back with their disks. */
  readonly lost: number
  /** If the zone went now. */
  readonly spare: SpareLines
}

export interface PoolRisk {
  readonly pool: TopologyPool
  readonly blobs: number
  /** By what can be read now. */
  readonly spare: SpareLines
  readonly zones: readonly ZoneRisk[]
}

export interface LedgerInput {
  readonly map: TopologyMap
  /** Nodes that are up, or not known to be down. */
  readonly up: ReadonlySet<string>
  /** What each node reported last; one that is down keeps its last. */
  readonly inventories: ReadonlyMap<string, readonly InventoryLine[]>
}

/** What is at risk, by pool. Counted from what nodes report, never from asking anybody. */
export function poolRisks({ map, up, inventories }: LedgerInput): PoolRisk[] {
  const kept = map.nodes.filter(({ state }) => state !== 'lost')
  const holdings = collect(kept.map(({ id }) => [id, inventories.get(id) ?? []]))
  const zones = map.zones.map(({ id }) => {
    const elsewhere = kept.filter(({ zone }) => zone !== id).map((node) => node.id)
    return {
      id,
      ifItWent: new Set(elsewhere.filter((node) => up.has(node))),
      ifAllReturned: new Set(elsewhere),
    }
  })
  return map.pools.map((pool): PoolRisk => {
    const groups = pool.groups.map((group) => {
      const holders = holdings.get(group.id) ?? []
      return {
        filling: group.slots.map((slot) => slot.filling),
        holders,
        blobs: blobsOf(holders, group.slots.length),
      }
    })
    const spareWith = (nodes: ReadonlySet<string>): SpareLines => {
      const sum = new Map<number, number>()
      for (const { blobs, filling, holders } of groups) {
        const missing = missingOf(holders, filling.length, blobs, nodes)
        for (const [spare, count] of spareCounts(parseCode(pool.code), { blobs, missing, filling })) {
          sum.set(spare, (sum.get(spare) ?? 0) + count)
        }
      }
      return [...sum].sort(([a], [b]) => a - b)
    }
    return {
      pool,
      blobs: groups.reduce((sum, { blobs }) => sum + blobs, 0),
      spare: spareWith(up),
      zones: zones.map(({ id, ifItWent, ifAllReturned }): ZoneRisk => {
        const spare = spareWith(ifItWent)
        return { zone: id, unreadable: unreadable(spare), lost: unreadable(spareWith(ifAllReturned)), spare }
      }),
    }
  })
}

/** Blobs with less than nothing to spare. */
function unreadable(lines: SpareLines): number {
  return lines.reduce((sum, [spare, blobs]) => sum + (spare < 0 ? blobs : 0), 0)
}

interface Holding {
  readonly node: string
  readonly shard: number
  readonly blobs: number
}

/** By group. */
function collect(inventories: Iterable<readonly [string, readonly InventoryLine[]]>): Map<number, Holding[]> {
  const groups = new Map<number, Holding[]>()
  for (const [node, lines] of inventories) {
    for (const { group, shard, blobs } of lines) {
      const holdings = groups.get(group)
      if (holdings === undefined) groups.set(group, [{ node, shard, blobs }])
      else holdings.push({ node, shard, blobs })
    }
  }
  return groups
}

/**
 * The blobs of a group. A shard that lies on one node is counted there; one that moves, or has a substitute, on several,
 * and some of its copies twice, for a while. So the blobs are as many as some node has of one shard; and, where every
 * shard is spread over several, as many as half of the shards add up to.
 */
function blobsOf(holdings: readonly Holding[], shards: number): number {
  const sums = Array.from({ length: shards }, () => 0)
  let most = 0
  for (const { shard, blobs } of holdings) {
    if (shard >= shards) continue
    sums[shard] = (sums[shard] ?? 0) + blobs
    most = Math.max(most, blobs)
  }
  const median = sums.sort((a, b) => a - b)[Math.floor((shards - 1) / 2)] ?? 0
  return Math.max(most, median)
}

/** By shard index: blobs whose shard none of these nodes has. Copies that lie twice count once, as far as that is to be seen. */
function missingOf(
  holdings: readonly Holding[],
  shards: number,
  blobs: number,
  nodes: ReadonlySet<string>,
): number[] {
  const missing = Array.from({ length: shards }, () => blobs)
  for (const { node, shard, blobs: held } of holdings) {
    if (shard < shards && nodes.has(node)) missing[shard] = Math.max(0, (missing[shard] ?? 0) - held)
  }
  return missing
}
