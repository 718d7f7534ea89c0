import type { TopologyNode } from './model.ts'
import type { Place, PoolPlan } from './plan.ts'
import { mayMove } from './slot.ts'

export interface VacateOptions {
  /** Which slots must leave the node they are on. */
  readonly leaves: (node: string) => boolean
  /**
   * - `drain`: the node is there and gives its shards away, wherever the rule lets them go; the last move is finished first.
   * - `lost`: the node is gone; a node takes no more shards of a group than an even spread gives, for its own loss would
   *   be worse.
   * - `away`: the same, and nothing leaves its zone: the node may come back, and so may its zone.
   */
  readonly manner: 'drain' | 'lost' | 'away'
  /** Drain even where groups end on fewer nodes, or the zone has no node for its share. */
  readonly force?: boolean
  /** Only these groups, by index. */
  readonly groups?: ReadonlySet<number>
}

/**
 * Gives slots that cannot stay to other nodes: of the same zone where that has one without a shard of the group, of
 * another that has room in the zone rule, or, doubled up, of the same zone again; of equals to the one with the least load
 * by weight, then by rendezvous rank.
 *
 * @returns the slots for which there is no node
 */
export function vacate(plan: PoolPlan, options: VacateOptions): Place[] {
  const stuck: Place[] = []
  for (const place of plan.places()) {
    if (options.groups?.has(place.group) === false) continue
    const node = plan.nodeAt(place)
    if (!options.leaves(node)) continue
    const slot = plan.slotAt(place)
    const back = plan.members.takers.find(({ id }) => id === slot.source)
    const home = back === undefined ? undefined : choose(plan, place, [back], options)
    if (home !== undefined) {
      plan.move(place, home)
      continue
    }
    // Its present move goes on, and it leaves when that is finished.
    if (options.manner === 'drain' && !mayMove(slot)) continue
    const to = choose(plan, place, plan.members.takers, options)
    if (to === undefined) stuck.push(place)
    else plan.move(place, to)
  }
  return stuck
}

function choose(
  plan: PoolPlan,
  place: Place,
  takers: readonly TopologyNode[],
  options: VacateOptions,
): string | undefined {
  const { group } = place
  const from = plan.nodeAt(place)
  const zone = plan.zoneOf(from)
  const zones = zonesFor(plan, place, zone, options)
  const limit = shardsMax(plan, group, from, options)
  let best: string | undefined
  let bestRank: readonly number[] | undefined
  for (const taker of takers) {
    if (taker.id === from || !zones.has(taker.zone)) continue
    const here = plan.shardsOn(group, taker.id)
    if (here >= limit) continue
    // Shards of the zone beside this one; of zones that are alike the same one is taken.
    const beside = plan.shardsIn(group, taker.zone) - (taker.zone === zone ? 1.5 : 0)
    const rank = [here, beside, (plan.load(taker.id) + 1) / taker.weight, plan.score(group, taker)]
    if (bestRank === undefined || before(rank, bestRank)) {
      best = taker.id
      bestRank = rank
    }
  }
  return best
}

/** Zones to which a shard of the group may go from `zone`. */
function zonesFor(
  plan: PoolPlan,
  place: Place,
  zone: string | undefined,
  { manner, force = false }: VacateOptions,
): Set<string> {
  const { group } = place
  const { openZones, takers } = plan.members
  const open = new Set(takers.map((taker) => taker.zone))
  const waitedFor = zone !== undefined && openZones.has(zone)
  if (manner === 'away') return new Set(zone === undefined ? [] : [zone])
  if (!waitedFor) {
    // The zone is given up: the others take its share, each up to an even one of all.
    const even = Math.ceil(plan.code.total / Math.max(1, openZones.size))
    const within = [...open].filter((other) => plan.shardsIn(group, other) < even)
    if (within.length > 0) return new Set(within)
    // A shard in a full zone is worth more than none, but no reason to leave the place it has.
    return force || manner === 'lost' ? open : new Set()
  }
  if (!open.has(zone)) return force && manner === 'drain' ? open : new Set()
  if (plan.isLocal(place)) return new Set([zone])
  const here = plan.shardsIn(group, zone)
  return new Set([...open].filter((other) => other === zone || plan.shardsIn(group, other) < here))
}

/** A node takes a shard of the group while it has fewer. */
function shardsMax(
  plan: PoolPlan,
  group: number,
  from: string,
  { manner, force = false }: VacateOptions,
): number {
  const { code, members } = plan
  if (manner === 'drain') return force ? code.total : plan.shardsOn(group, from)
  // A second copy on one node adds nothing.
  if (code.kind === 'replica') return 1
  return Math.max(1, Math.min(code.m, Math.ceil(code.total / Math.max(1, members.takers.length))))
}

function before(a: readonly number[], b: readonly number[]): boolean {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}
