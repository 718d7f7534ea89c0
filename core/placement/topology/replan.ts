import { membersOf, type Place, PoolPlan } from './plan.ts'
import type {
  MemberState,
  SlotMove,
  TopologyContext,
  TopologyMap,
  TopologyNode,
  TopologySlot,
} from './model.ts'
import { vacate } from './vacate.ts'

/** Plans every pool of the map anew. Pools in which nothing moves stay the very same. */
export function replan(
  map: TopologyMap,
  context: TopologyContext,
  plan: (pool: PoolPlan) => void,
): TopologyMap {
  const members = membersOf(map, unfitNodes(map, context))
  const pools = map.pools.map((pool) => {
    const planned = new PoolPlan(pool, members)
    plan(planned)
    return planned.finish()
  })
  return pools.every((pool, index) => pool === map.pools[index]) ? map : { ...map, pools }
}

/** Nodes that get no slots now: down, or not writable. Those that nobody knows about may get some. */
function unfitNodes({ nodes }: TopologyMap, { facts }: TopologyContext): Set<string> {
  const unfit = nodes.filter(({ id }) => {
    const known = facts.get(id)
    return known !== undefined && (known.liveness === 'down' || (known.liveness === 'up' && !known.writable))
  })
  return new Set(unfit.map(({ id }) => id))
}

/** Slots left on lost and draining nodes go where the rule lets them by now. Returns those that stay. */
export function settle(plan: PoolPlan, groups?: ReadonlySet<number>, force = false): Place[] {
  const isState = (state: MemberState) => (node: string) => plan.members.nodes.get(node)?.state === state
  const some = groups === undefined ? {} : { groups }
  return [
    ...vacate(plan, { leaves: isState('lost'), manner: 'lost', ...some }),
    ...vacate(plan, { leaves: isState('draining'), manner: 'drain', force, ...some }),
  ]
}

/** The map with some of its slots changed; the very same where none is. */
export function mapSlots(
  map: TopologyMap,
  change: (slot: TopologySlot, group: number, shard: number) => TopologySlot,
): TopologyMap {
  const pools = map.pools.map((pool) => {
    const groups = pool.groups.map((group) => {
      const slots = group.slots.map((slot, shard) => change(slot, group.id, shard))
      return slots.every((slot, shard) => slot === group.slots[shard]) ? group : { ...group, slots }
    })
    return groups.every((group, index) => group === pool.groups[index]) ? pool : { ...pool, groups }
  })
  return pools.every((pool, index) => pool === map.pools[index]) ? map : { ...map, pools }
}

/** The map with these fields of some nodes; the very same where they have them already. */
export function withNodes(
  map: TopologyMap,
  ids: ReadonlySet<string>,
  fields: Partial<Pick<TopologyNode, 'state' | 'weight'>>,
): TopologyMap {
  const nodes = map.nodes.map((node) => {
    const next = { ...node, ...fields }
    return ids.has(node.id) && (next.state !== node.state || next.weight !== node.weight) ? next : node
  })
  return nodes.every((node, index) => node === map.nodes[index]) ? map : { ...map, nodes }
}

/** Slots whose node is another in the second map. */
export function movesBetween(from: TopologyMap, to: TopologyMap): SlotMove[] {
  const before = new Map(from.pools.flatMap(({ groups }) => groups.map((group) => [group.id, group])))
  return to.pools.flatMap(({ groups }) =>
    groups.flatMap((group) => {
      const old = before.get(group.id)
      if (old === undefined || old === group) return []
      return group.slots.flatMap(({ node }, shard) => {
        const was = old.slots[shard]?.node ?? ''
        return was === node ? [] : [{ group: group.id, shard, from: was, to: node }]
      })
    }),
  )
}
