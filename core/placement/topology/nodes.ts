import { NAME_BYTES_MAX, NODES_MAX, ZONES_MAX } from '../../limits.ts'
import { improve, level } from './level.ts'
import {
  type MemberState,
  type TopologyChange,
  type TopologyContext,
  type TopologyMap,
  type TopologyNode,
  TopologyRefused,
} from './model.ts'
import type { Place, PoolPlan } from './plan.ts'
import { mapSlots, replan, settle, withNodes } from './replan.ts'
import { worsenings } from './risk.ts'
import { vacate } from './vacate.ts'

/** A map, and what there is to say about it. */
export interface Planned {
  readonly map: TopologyMap
  readonly warnings: readonly string[]
}

type Change<K extends TopologyChange['kind']> = Extract<TopologyChange, { kind: K }>

/** @throws {TopologyRefused} */
export function addNode(
  map: TopologyMap,
  { id, zone, weight }: Change<'add-node'>,
  context: TopologyContext,
): TopologyMap {
  assertName('node', id)
  assertWeight(id, weight)
  if (map.nodes.some((node) => node.id === id)) {
    throw new TopologyRefused(`there is a storage node ${id} already`)
  }
  if (map.nodes.length >= NODES_MAX) {
    throw new TopologyRefused(`a cluster has at most ${NODES_MAX} storage nodes`)
  }
  const zones = withZone(map, zone)
  if (zones.some((other) => other.id === zone && other.state === 'draining')) {
    throw new TopologyRefused(`zone ${zone} is being drained: make it active first`)
  }
  const node: TopologyNode = { id, zone, weight, state: 'active' }
  return replan({ ...map, zones, nodes: [...map.nodes, node] }, context, (plan) => {
    settle(plan)
    fill(plan, id)
  })
}

/** Slots go to a node that has fewer than its share. */
function fill(plan: PoolPlan, id: string): void {
  const node = plan.members.takers.find((taker) => taker.id === id)
  if (node === undefined) return
  improve(plan, node)
  level(plan, node.zone, { into: id })
}

/** @throws {TopologyRefused} */
export function changeNode(
  map: TopologyMap,
  { id, state, weight, remove = false }: Change<'change-node'>,
  context: TopologyContext,
): Planned {
  const node = map.nodes.find((other) => other.id === id)
  if (node === undefined) throw new TopologyRefused(`there is no storage node ${id}`)
  if (remove) return { map: removeNode(map, node, context), warnings: [] }
  const weighed = weight === undefined ? map : changeWeight(map, node, weight, context)
  if (state === undefined || state === node.state) return { map: weighed, warnings: [] }
  return changeState(weighed, new Set([id]), state, context)
}

function removeNode(map: TopologyMap, node: TopologyNode, { force, facts }: TopologyContext): TopologyMap {
  const { id } = node
  let named = 0
  for (const { groups } of map.pools) {
    for (const { slots } of groups) {
      named += slots.filter((slot) => slot.node === id || slot.source === id).length
    }
  }
  if (named > 0) {
    throw new TopologyRefused(
      `${named} slots still name storage node ${id}: drain it, or mark it lost, and wait until they have moved`,
    )
  }
  const shards = facts.get(id)?.shards
  if (node.state !== 'lost' && shards !== undefined && shards > 0) {
    throw new TopologyRefused(
      `storage node ${id} still holds ${shards} live shards: wait until they are cleared away, or mark it lost`,
    )
  }
  if (node.state !== 'lost' && shards === undefined && !force) {
    throw new TopologyRefused(
      `storage node ${id} has not said what it holds: wait for it, mark it lost, or force the change`,
    )
  }
  return { ...map, nodes: map.nodes.filter((other) => other !== node) }
}

function changeWeight(
  map: TopologyMap,
  node: TopologyNode,
  weight: number,
  context: TopologyContext,
): TopologyMap {
  assertWeight(node.id, weight)
  if (weight === node.weight) return map
  const weighed = withNodes(map, new Set([node.id]), { weight })
  const direction = weight > node.weight ? { into: node.id } : { outOf: node.id }
  return replan(weighed, context, (plan) => {
    if (node.state === 'active') level(plan, node.zone, direction)
  })
}

/** The same for one node, and for all of a zone. @throws {TopologyRefused} */
export function changeState(
  map: TopologyMap,
  ids: ReadonlySet<string>,
  state: MemberState,
  context: TopologyContext,
): Planned {
  if (state === 'draining') return drain(map, ids, context)
  if (state === 'lost') return giveUp(map, ids, context)
  return { map: activate(map, ids, context), warnings: [] }
}

/** @throws {TopologyRefused} */
function drain(map: TopologyMap, ids: ReadonlySet<string>, context: TopologyContext): Planned {
  const lost = map.nodes.find(({ id, state }) => ids.has(id) && state === 'lost')
  if (lost !== undefined) {
    throw new TopologyRefused(`storage node ${lost.id} is lost: there is nothing to drain`)
  }
  const { force } = context
  const reasons: string[] = []
  const marked = withNodes(map, ids, { state: 'draining' })
  const drained = replan(marked, context, (plan) => {
    const stuck = vacate(plan, { leaves: (node) => ids.has(node), manner: 'drain', force })
    if (stuck.length > 0) {
      reasons.push(`pool ${plan.pool.name} has no other node for ${slotCount(stuck.length)}`)
    }
  })
  for (const { pool, what } of worsenings(map, drained)) reasons.push(`pool ${pool}: ${what}`)
  if (reasons.length === 0) return { map: drained, warnings: [] }
  if (force) return { map: drained, warnings: reasons }
  const zones = [...new Set(map.nodes.filter(({ id }) => ids.has(id)).map(({ zone }) => zone))]
  throw new TopologyRefused(
    `${reasons.join('; ')}. Add a node to zone ${zones.join(', ')} that is up and takes writes, or force the change`,
  )
}

/** What they held is gone. @throws {TopologyRefused} */
function giveUp(map: TopologyMap, ids: ReadonlySet<string>, context: TopologyContext): Planned {
  const up = [...ids].find((id) => context.facts.get(id)?.liveness === 'up')
  if (up !== undefined) {
    throw new TopologyRefused(
      `storage node ${up} is up: what it holds can be kept, so drain it; or stop it, if its disk is lost`,
    )
  }
  const unheard = [...ids].find((id) => context.facts.get(id)?.liveness === 'unknown')
  if (unheard !== undefined && !context.force) {
    throw new TopologyRefused(
      `storage node ${unheard} may be up: metadata has not listened for long enough to say. Ask again in a moment, or force the change`,
    )
  }
  const marked = mapSlots(withNodes(map, ids, { state: 'lost' }), (slot) =>
    ids.has(slot.source) ? { ...slot, source: '' } : slot,
  )
  const warnings: string[] = []
  const replaced = replan(marked, context, (plan) => {
    const stuck = vacate(plan, { leaves: (node) => ids.has(node), manner: 'lost' })
    if (stuck.length > 0) {
      warnings.push(
        `pool ${plan.pool.name} has no node for ${slotCount(stuck.length)}, which stay lost until there is one`,
      )
    }
  })
  for (const { pool, what } of worsenings(map, replaced)) warnings.push(`pool ${pool}: ${what}`)
  return { map: replaced, warnings }
}

/**
 * Back among those that take slots. Slots that were leaving return: nothing has to be brought to where all still is. Those
 * that have left stay where they are, until somebody asks for balance; a node that was lost comes back as a new one.
 */
function activate(map: TopologyMap, ids: ReadonlySet<string>, context: TopologyContext): TopologyMap {
  const idsOf = (state: MemberState): Set<string> =>
    new Set(map.nodes.filter((node) => ids.has(node.id) && node.state === state).map(({ id }) => id))
  const [lost, draining] = [idsOf('lost'), idsOf('draining')]
  const active = mapSlots(withNodes(map, ids, { state: 'active' }), (slot) =>
    lost.has(slot.node) && !slot.filling ? { ...slot, filling: true } : slot,
  )
  return replan(active, context, (plan) => {
    for (const place of plan.places()) {
      const { source } = plan.slotAt(place)
      if (draining.has(source) && mayReturn(plan, place, source)) plan.move(place, source)
    }
    for (const id of lost) fill(plan, id)
  })
}

/** Whether the spread of the group is none the worse for it. */
function mayReturn(plan: PoolPlan, place: Place, to: string): boolean {
  const { group } = place
  const from = plan.nodeAt(place)
  const { nodes, takers } = plan.members
  if (!takers.some(({ id }) => id === to)) return false
  if (nodes.get(from)?.state !== 'active') return true
  const [zone, back] = [plan.zoneOf(from), plan.zoneOf(to)]
  return (
    plan.shardsOn(group, to) < plan.shardsOn(group, from) &&
    (zone === back || plan.shardsIn(group, back) < plan.shardsIn(group, zone))
  )
}

/** The zones with this one among them, in order. @throws {TopologyRefused} */
export function withZone({ zones }: TopologyMap, id: string): TopologyMap['zones'] {
  assertName('zone', id)
  if (zones.some((zone) => zone.id === id)) return zones
  if (zones.length >= ZONES_MAX) throw new TopologyRefused(`a cluster has at most ${ZONES_MAX} zones`)
  return [...zones, { id, state: 'active' as const }].sort((a, b) => (a.id < b.id ? -1 : 1))
}

function assertName(what: string, id: string): void {
  if (/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id) && id.length <= NAME_BYTES_MAX) return
  throw new TopologyRefused(
    `the name of a ${what} is lower-case letters, digits and single hyphens, at most ${NAME_BYTES_MAX}; not ${JSON.stringify(id)}`,
  )
}

function assertWeight(id: string, weight: number): void {
  if (weight > 0 && Number.isFinite(weight)) return
  throw new TopologyRefused(`the weight of storage node ${id} must be a number above 0`)
}

function slotCount(count: number): string {
  return count === 1 ? 'one slot' : `${count} slots`
}
