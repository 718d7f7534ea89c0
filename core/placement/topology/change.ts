import { improve, level } from './level.ts'
import {
  type TopologyChange,
  type TopologyContext,
  type TopologyMap,
  TopologyRefused,
  type TopologyResult,
} from './model.ts'
import { addNode, changeNode, changeState, type Planned, withZone } from './nodes.ts'
import type { PoolPlan } from './plan.ts'
import { changePool, removePool } from './pools.ts'
import { mapSlots, movesBetween, replan, settle } from './replan.ts'
import { layoutWarnings } from './risk.ts'
import { vacate } from './vacate.ts'

type Change<K extends TopologyChange['kind']> = Extract<TopologyChange, { kind: K }>

/** Changes that no operator asked for. */
const BY_ITSELF: ReadonlySet<TopologyChange['kind']> = new Set([
  'finish-slots',
  'substitute',
  'spread',
] as const)

/**
 * The map after a change. It has the next epoch, or is the very one that was given if nothing changed. The same arguments
 * give the same answer.
 *
 * - A group's slots stay on as many nodes as they were, and over the zones as evenly, unless a node is lost or the change
 *   is forced.
 * - Slots move only from or to the nodes that the change speaks of, except to balance the whole (`rebalance`).
 * - A slot that moves already is not moved for balance, see {@link moveSlot}.
 *
 * @throws {TopologyRefused} the change breaks a rule
 */
export function applyChange(
  map: TopologyMap,
  change: TopologyChange,
  context: TopologyContext,
): TopologyResult {
  const { map: planned, warnings } = plan(map, change, context)
  if (planned === map) return { map, moves: [], warnings: [...warnings] }
  const limits = BY_ITSELF.has(change.kind) ? [] : layoutWarnings(planned)
  return {
    map: { ...stamped(map, planned, map.epoch + 1), epoch: map.epoch + 1 },
    moves: movesBetween(map, planned),
    warnings: [...new Set([...warnings, ...limits])],
  }
}

/** Slots that are others than they were say since when. */
function stamped(from: TopologyMap, to: TopologyMap, epoch: number): TopologyMap {
  const before = new Map(from.pools.flatMap(({ groups }) => groups.map((group) => [group.id, group])))
  return mapSlots(to, (slot, group, shard) => {
    const old = before.get(group)?.slots[shard]
    if (old === undefined || old === slot) return slot
    const same = old.node === slot.node && old.source === slot.source && old.filling === slot.filling
    return same ? old : { ...slot, since: epoch }
  })
}

function plan(map: TopologyMap, change: TopologyChange, context: TopologyContext): Planned {
  switch (change.kind) {
    case 'add-node':
      return { map: addNode(map, change, context), warnings: [] }
    case 'change-node':
      return changeNode(map, change, context)
    case 'change-zone':
      return changeZone(map, change, context)
    case 'change-pool':
      return changePool(map, change, context)
    case 'remove-pool':
      return { map: removePool(map, change, context), warnings: [] }
    case 'finish-slots':
      return { map: finishSlots(map, change, context), warnings: [] }
    case 'rebalance':
      return rebalance(map, context)
    case 'spread':
      return { map: spread(map, change, context), warnings: [] }
    case 'substitute':
      return { map: substitute(map, change, context), warnings: [] }
  }
}

function changeZone(
  map: TopologyMap,
  { id, state, add = false, remove = false }: Change<'change-zone'>,
  context: TopologyContext,
): Planned {
  const zone = map.zones.find((other) => other.id === id)
  if (add) {
    if (zone !== undefined) throw new TopologyRefused(`there is a zone ${id} already`)
    return { map: { ...map, zones: withZone(map, id) }, warnings: [] }
  }
  if (zone === undefined) throw new TopologyRefused(`there is no zone ${id}`)
  const nodes = map.nodes.filter((node) => node.zone === id)
  if (remove) {
    if (nodes.length > 0) {
      throw new TopologyRefused(
        `zone ${id} still has ${nodes.map((node) => node.id).join(', ')}: remove them first`,
      )
    }
    return { map: { ...map, zones: map.zones.filter((other) => other !== zone) }, warnings: [] }
  }
  if (state === undefined) return { map, warnings: [] }
  // A zone whose nodes are lost is waited for: new nodes there take their place.
  const marked = { ...zone, state: state === 'draining' ? state : 'active' } as const
  const zones = map.zones.map((other) => (other === zone && zone.state !== marked.state ? marked : other))
  const changed = zones.every((other, index) => other === map.zones[index]) ? map : { ...map, zones }
  const ids = nodes.filter((node) => state !== 'draining' || node.state !== 'lost').map((node) => node.id)
  const planned = changeState(changed, new Set(ids), state, context)
  if (state !== 'draining') return planned
  // What its lost nodes had goes elsewhere, too, now that nobody waits for the zone.
  return {
    ...planned,
    map: replan(planned.map, context, (pool) => void settle(pool, undefined, context.force)),
  }
}

function finishSlots(
  map: TopologyMap,
  { slots }: Change<'finish-slots'>,
  context: TopologyContext,
): TopologyMap {
  const lines = new Map(slots.map((line) => [`${line.group}/${line.shard}`, line]))
  const lost = new Set(map.nodes.filter(({ state }) => state === 'lost').map(({ id }) => id))
  const finished = new Set<number>()
  const done = mapSlots(map, (slot, group, shard) => {
    const line = lines.get(`${group}/${shard}`)
    if (line === undefined || line.node !== slot.node || line.source !== slot.source) return slot
    // What was seen of an earlier move between the same nodes says nothing of this one.
    if ((line.since ?? 0) !== (slot.since ?? 0)) return slot
    if (lost.has(slot.node) || (slot.source === '' && !slot.filling)) return slot
    finished.add(group)
    return { node: slot.node, source: '', filling: false }
  })
  if (done === map) return map
  // What waited for the end of this move, since its node is to be emptied, goes on.
  return replan(done, context, (pool) => {
    const groups = [...pool.pool.groups.entries()].filter(([, { id }]) => finished.has(id))
    if (groups.length > 0) settle(pool, new Set(groups.map(([index]) => index)))
  })
}

function rebalance(map: TopologyMap, context: TopologyContext): Planned {
  const warnings: string[] = []
  const balanced = replan(map, context, (pool) => {
    const stuck = settle(pool, undefined, context.force)
    if (stuck.length > 0) {
      warnings.push(`pool ${pool.pool.name} has no node for ${stuck.length} slots of lost or draining nodes`)
    }
    balance(pool)
  })
  return { map: balanced, warnings }
}

function balance(pool: PoolPlan): void {
  const takers = pool.members.takers.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  for (const node of takers) improve(pool, node)
  for (const zone of new Set(takers.map((node) => node.zone))) level(pool, zone)
}

function substitute(
  map: TopologyMap,
  { nodes }: Change<'substitute'>,
  context: TopologyContext,
): TopologyMap {
  const away = new Set(nodes)
  return replan(map, context, (pool) => {
    vacate(pool, { leaves: (node) => away.has(node), manner: 'away' })
  })
}

/**
 * A node that others stood in for, doubled up, has nearly all that it had: its slots return to it, and what was written
 * meanwhile is brought after. Where slots still move from elsewhere, nothing else is done.
 */
function spread(map: TopologyMap, { nodes }: Change<'spread'>, context: TopologyContext): TopologyMap {
  return replan(map, context, (pool) => {
    settle(pool)
    const helpers = pool.members.takers.filter(({ id }) => nodes.includes(id))
    for (const place of pool.places()) {
      const { node, source } = pool.slotAt(place)
      if (pool.nodeAt(place) !== node || !helpers.some(({ id }) => id === source)) continue
      const doubled = pool.shardsOn(place.group, node) > pool.shardsOn(place.group, source) + 1
      if (doubled && pool.zoneOf(node) === pool.zoneOf(source)) pool.move(place, source)
    }
    const still = new Set(
      [...pool.pool.groups.entries()]
        .filter(([, { slots }]) => slots.every(({ source }) => source === ''))
        .map(([group]) => group),
    )
    for (const node of helpers) improve(pool, node, still)
  })
}
