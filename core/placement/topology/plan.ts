import { type Code, parseCode } from '../../erasure/code.ts'
import { localGroup } from '../../erasure/repair.ts'
import { rendezvousScore } from '../rendezvous.ts'
import type { TopologyGroup, TopologyMap, TopologyNode, TopologyPool, TopologySlot } from './model.ts'
import { moveSlot } from './slot.ts'

/** The nodes and zones of a map, by what they may take. */
export interface Members {
  readonly nodes: ReadonlyMap<string, TopologyNode>
  /** Nodes that may take slots: active, in an active zone, and not known to be unfit. */
  readonly takers: readonly TopologyNode[]
  /**
   * Zones that shards are spread over: active, with a node that is active or lost. A zone whose nodes are all lost is
   * waited for; its share goes elsewhere only when somebody drains it.
   */
  readonly openZones: ReadonlySet<string>
}

/** @param unfit nodes that get no slots for a reason the map does not know, such as being down */
export function membersOf({ nodes, zones }: TopologyMap, unfit: ReadonlySet<string> = new Set()): Members {
  const activeZones = new Set(zones.filter(({ state }) => state === 'active').map(({ id }) => id))
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    takers: nodes.filter(
      ({ id, zone, state }) => state === 'active' && activeZones.has(zone) && !unfit.has(id),
    ),
    openZones: new Set(
      nodes
        .filter(({ zone, state }) => state !== 'draining' && activeZones.has(zone))
        .map(({ zone }) => zone),
    ),
  }
}

/** Where a shard of a group is meant to be. */
export interface Place {
  readonly group: number
  readonly shard: number
}

/** How the shards of a group lie. */
export interface GroupSpread {
  /** Shards on the fullest node, and in the fullest zone. */
  readonly nodeMost: number
  readonly zoneMost: number
  readonly zones: ReadonlyMap<string | undefined, number>
}

/**
 * One pool while a change is planned: nodes are given to slots one after another, and counted; only at the end do slots
 * become what {@link moveSlot} makes of the first and the last node.
 *
 * A move from node X in zone A to node Y in zone B makes no group's spread worse when Y holds fewer shards of it than X
 * does, and, if A and B differ, B fewer than A: all that is planned beyond necessity is held to that. Shards of a local group
 * that lies in one zone do not leave it by choice: a zone more than there are local groups gets none of them.
 */
export class PoolPlan {
  readonly pool: TopologyPool
  readonly code: Code
  readonly members: Members
  /** Node ids by shard, by index of the group. */
  readonly placed: string[][]
  readonly #loads = new Map<string, number>()
  /** By index of the group; what was looked at since it changed. */
  readonly #spreads = new Map<number, GroupSpread>()

  constructor(pool: TopologyPool, members: Members) {
    this.pool = pool
    this.code = parseCode(pool.code)
    this.members = members
    this.placed = pool.groups.map(({ slots }) => slots.map(({ node }) => node))
    for (const nodes of this.placed) for (const node of nodes) this.#count(node, 1)
  }

  /** Slots of the pool that the node has. */
  load(node: string): number {
    return this.#loads.get(node) ?? 0
  }

  zoneOf(node: string): string | undefined {
    return this.members.nodes.get(node)?.zone
  }

  slotAt({ group, shard }: Place): TopologySlot {
    return found(found(this.pool.groups[group]).slots[shard])
  }

  nodeAt({ group, shard }: Place): string {
    return found(this.nodesOf(group)[shard])
  }

  nodesOf(group: number): readonly string[] {
    return found(this.placed[group])
  }

  /** Shards of the group that the node has. */
  shardsOn(group: number, node: string): number {
    let count = 0
    for (const other of this.nodesOf(group)) if (other === node) count++
    return count
  }

  /** Shards of the group that the zone has. */
  shardsIn(group: number, zone: string | undefined): number {
    return this.spread(group).zones.get(zone) ?? 0
  }

  spread(group: number): GroupSpread {
    const known = this.#spreads.get(group)
    if (known !== undefined) return known
    const nodes = new Map<string, number>()
    const zones = new Map<string | undefined, number>()
    for (const node of this.nodesOf(group)) {
      nodes.set(node, (nodes.get(node) ?? 0) + 1)
      const zone = this.zoneOf(node)
      zones.set(zone, (zones.get(zone) ?? 0) + 1)
    }
    const spread = { nodeMost: Math.max(...nodes.values()), zoneMost: Math.max(...zones.values()), zones }
    this.#spreads.set(group, spread)
    return spread
  }

  /** Whether the shard's local group, if the code has such, lies in one zone: then its repair stays there, and so should it. */
  isLocal({ group, shard }: Place): boolean {
    const members = localGroup(this.code, shard)
    if (members === undefined) return false
    const nodes = this.nodesOf(group)
    return new Set(members.map((member) => this.zoneOf(found(nodes[member])))).size === 1
  }

  groupId(group: number): number {
    return found(this.pool.groups[group]).id
  }

  score(group: number, node: TopologyNode): number {
    return rendezvousScore(this.groupId(group), 'node', node)
  }

  move({ group, shard }: Place, to: string): void {
    const nodes = found(this.placed[group])
    this.#spreads.delete(group)
    this.#count(found(nodes[shard]), -1)
    nodes[shard] = to
    this.#count(to, 1)
  }

  /** Every slot, in order. */
  *places(): Generator<Place> {
    for (const [group, nodes] of this.placed.entries()) {
      for (const shard of nodes.keys()) yield { group, shard }
    }
  }

  /** The pool as planned; the very pool that was given when nothing moved. */
  finish(): TopologyPool {
    const isLost = (node: string): boolean => this.members.nodes.get(node)?.state === 'lost'
    let changed = false
    const groups = this.pool.groups.map((group, index): TopologyGroup => {
      const nodes = this.nodesOf(index)
      if (group.slots.every(({ node }, shard) => node === nodes[shard])) return group
      changed = true
      return {
        id: group.id,
        slots: group.slots.map((slot, shard) => moveSlot(slot, found(nodes[shard]), isLost)),
      }
    })
    return changed ? { ...this.pool, groups } : this.pool
  }

  #count(node: string, by: number): void {
    this.#loads.set(node, this.load(node) + by)
  }
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new RangeError('there is no such slot')
  return value
}
