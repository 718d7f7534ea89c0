import type { TopologyNode } from './model.ts'
import type { Place, PoolPlan } from './plan.ts'
import { mayMove } from './slot.ts'

/**
 * Moves that make the spread of a group better and go to `into`, in all groups or these: a shard of a node that has several, or of a zone that has
 * two more. Slots that move from a source stay as they are; one that is filled from nothing may as well be filled elsewhere.
 */
export function improve(plan: PoolPlan, into: TopologyNode, groups?: ReadonlySet<number>): void {
  for (const group of groups ?? plan.placed.keys()) {
    for (;;) {
      const place = bestGain(plan, group, into)
      if (place === undefined) break
      plan.move(place, into.id)
    }
  }
}

function bestGain(plan: PoolPlan, group: number, into: TopologyNode): Place | undefined {
  const zoneHere = plan.shardsIn(group, into.zone)
  const { nodeMost, zoneMost } = plan.spread(group)
  if (nodeMost < 2 && zoneMost - zoneHere < 2) return undefined
  const here = plan.shardsOn(group, into.id)
  let best: Place | undefined
  let bestValue = 0
  for (const [shard, node] of plan.nodesOf(group).entries()) {
    const place = { group, shard }
    if (node === into.id || !isHome(plan, place) || !mayMove(plan.slotAt(place))) continue
    const nodeGain = plan.shardsOn(group, node) - here - 1
    const zone = plan.zoneOf(node)
    const zoneGain = zone === into.zone ? 0 : plan.shardsIn(group, zone) - zoneHere - 1
    if (nodeGain < 0 || zoneGain < 0) continue
    if (zone !== into.zone && plan.isLocal(place)) continue
    const weight = plan.members.nodes.get(node)?.weight ?? 1
    const gain = zoneGain * 64 + nodeGain
    // Of equal gains that of the fullest node.
    const value = gain === 0 ? 0 : gain + 1 - 1 / (1 + plan.load(node) / weight)
    if (value > bestValue) {
      best = place
      bestValue = value
    }
  }
  return best
}

/** A slot that was not given away in this change, and need not be. */
function isHome(plan: PoolPlan, place: Place): boolean {
  const { node } = plan.slotAt(place)
  return plan.nodeAt(place) === node && plan.members.nodes.get(node)?.state === 'active'
}

/** A slot that is all where it belongs. Only such are moved for balance. */
function isStill(plan: PoolPlan, place: Place): boolean {
  const { source, filling } = plan.slotAt(place)
  return !filling && source === '' && isHome(plan, place)
}

/**
 * The slots that each node of a zone ought to have, of those that the zone has: by weight, but no more than it can hold
 * when the shards of each group are spread evenly over the nodes.
 */
function shares(plan: PoolPlan, zone: string): Map<string, number> {
  const nodes = plan.members.takers.filter((taker) => taker.zone === zone)
  let left = 0
  let most = 0
  for (const group of plan.placed.keys()) {
    const here = plan.nodesOf(group).filter((id) => nodes.some((node) => node.id === id)).length
    left += here
    most += Math.ceil(here / Math.max(1, nodes.length))
  }
  const result = new Map<string, number>()
  let open = nodes
  for (;;) {
    const weights = open.reduce((sum, { weight }) => sum + weight, 0)
    const rate = left / weights
    const full = open.filter(({ weight }) => weight * rate > most)
    if (full.length === 0) {
      for (const { id, weight } of open) result.set(id, weight * rate)
      return result
    }
    for (const { id } of full) result.set(id, most)
    left -= most * full.length
    open = open.filter((node) => !full.includes(node))
  }
}

export interface LevelOptions {
  /** Only moves to this node, and no more than its share. */
  readonly into?: string
  /** Only moves from this node. */
  readonly outOf?: string
}

/**
 * Moves slots inside a zone from nodes above their share to nodes below, one at a time from the fullest to the emptiest,
 * for as long as each makes the difference smaller. No group's spread gets worse.
 */
export function level(plan: PoolPlan, zone: string, { into, outOf }: LevelOptions = {}): void {
  const share = shares(plan, zone)
  const nodes = plan.members.takers.filter((taker) => taker.zone === zone)
  const above = (node: TopologyNode): number => plan.load(node.id) - (share.get(node.id) ?? 0)
  const queues = new Queues(plan)
  for (;;) {
    const givers = nodes
      .filter(({ id }) => id !== into && (outOf === undefined || id === outOf))
      .toSorted((a, b) => above(b) - above(a) || (a.id < b.id ? -1 : 1))
    const receivers = nodes
      .filter(({ id }) => id !== outOf && (into === undefined || id === into))
      .toSorted((a, b) => above(a) - above(b) || (a.id < b.id ? -1 : 1))
    if (!moveOne(plan, givers, receivers, above, queues, into !== undefined)) return
  }
}

function moveOne(
  plan: PoolPlan,
  givers: readonly TopologyNode[],
  receivers: readonly TopologyNode[],
  above: (node: TopologyNode) => number,
  queues: Queues,
  upToShare: boolean,
): boolean {
  for (const receiver of receivers) {
    if (upToShare && above(receiver) > -0.5) return false
    for (const giver of givers) {
      if (above(giver) - above(receiver) <= 1) break
      const place = queues.next(giver, receiver)
      if (place === undefined) continue
      plan.move(place, receiver.id)
      return true
    }
  }
  return false
}

/** The slots that one node could give another, in the receiver's rendezvous order; each is offered once. */
class Queues {
  readonly #plan: PoolPlan
  readonly #queues = new Map<string, Place[]>()
  /** By node, as they were at first: none that was given away in this change is moved again. */
  readonly #slots: ReadonlyMap<string, readonly Place[]>

  constructor(plan: PoolPlan) {
    this.#plan = plan
    this.#slots = Map.groupBy(plan.places(), (place) => plan.nodeAt(place))
  }

  next(giver: TopologyNode, receiver: TopologyNode): Place | undefined {
    const plan = this.#plan
    const name = `${giver.id}\n${receiver.id}`
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = (this.#slots.get(giver.id) ?? [])
        .map((place) => ({ place, score: plan.score(place.group, receiver) }))
        .sort((a, b) => b.score - a.score)
        .map(({ place }) => place)
      this.#queues.set(name, queue)
    }
    for (;;) {
      const place = queue.pop()
      if (place === undefined) return undefined
      if (plan.nodeAt(place) !== giver.id || !isStill(plan, place)) continue
      if (plan.shardsOn(place.group, receiver.id) < plan.shardsOn(place.group, giver.id)) return place
    }
  }
}
