import { unitHash } from './hash.ts'

/** A storage node as placement sees it. */
export interface PlacementNode {
  readonly id: string
  readonly zone: string
  /** Relative capacity, > 0. */
  readonly weight: number
}

/**
 * The nodes for the shards of a placement group, by weighted rendezvous hashing under the zone rule.
 *
 * - Shards are spread over the zones as evenly as can be: every zone gets ⌊shards / zones⌋ or one more. Which get
 *   one more follows the zones' weights, after those that have a node to spare: no node takes a second shard while
 *   another zone's share could grow by an unused one.
 * - Slots rotate over the zones, so the first slots of every list lie in different zones.
 * - In a zone, nodes are taken in their rendezvous order, each once; only when a zone has fewer nodes than its share
 *   (a laptop) are they taken again, from the first.
 *
 * The answer depends on nothing but the arguments, whatever the order of `nodes`. A node that joins or leaves a zone
 * changes at most that node's own shards of a group.
 *
 * @see Thaler, Ravishankar: Using name-based mappings to increase hit rates (1998); weights after Schindelhauer,
 *   Schomaker: Weighted distributed hash tables (2005)
 * @returns node ids, one per shard
 * @throws {RangeError} when there is no node
 */
export function chooseSlots(group: number, shards: number, nodes: readonly PlacementNode[]): string[] {
  if (nodes.length === 0) throw new RangeError('a placement group needs at least one node')
  const byZone = Map.groupBy(nodes, (node) => node.zone)
  const zones = [...byZone].map(([id, members]) => ({
    id,
    weight: members.reduce((sum, node) => sum + node.weight, 0),
    nodes: ranked(group, 'node', members),
  }))
  const order = ranked(group, 'zone', zones)
  const slots: string[] = []
  for (let round = 0; slots.length < shards; round++) {
    const fresh = order.filter((zone) => zone.nodes.length > round)
    const used = order.filter((zone) => zone.nodes.length <= round)
    const left = shards - slots.length
    for (const zone of [...fresh, ...used].slice(0, left)) slots.push(pick(zone.nodes, round).id)
  }
  return slots
}

interface Candidate {
  readonly id: string
  readonly weight: number
}

/**
 * A candidate's score for a group; the least is chosen. -ln(u)/w is exponentially distributed with rate w: the least is i
 * with chance wᵢ/Σw.
 */
export function rendezvousScore(group: number, kind: 'node' | 'zone', { id, weight }: Candidate): number {
  return -Math.log(unitHash(`${kind}/${id}`, group)) / weight
}

/** By score, the chosen first. */
function ranked<T extends Candidate>(group: number, kind: 'node' | 'zone', candidates: readonly T[]): T[] {
  return candidates
    .map((candidate) => ({ candidate, score: rendezvousScore(group, kind, candidate) }))
    .sort((a, b) => a.score - b.score || (a.candidate.id < b.candidate.id ? -1 : 1))
    .map(({ candidate }) => candidate)
}

/** The element at `index`, counted round and round. */
function pick<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length]
  if (found === undefined) throw new RangeError('nothing to pick from')
  return found
}
