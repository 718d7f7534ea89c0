/** Where a shard goes when the node of its slot cannot take it. Pure. */

import type { Code } from '../erasure/code.ts'

/** A node that could take the shard: up, writable, and not one that just failed this shard. */
export interface Candidate {
  readonly id: string
  readonly zone: string
}

export interface SubstituteQuestion {
  readonly code: Code
  /** Zone of the node that cannot take the shard; `undefined` when the map no longer knows it. */
  readonly zone: string | undefined
  readonly candidates: readonly Candidate[]
  /** Shards of this stripe that each node holds or is being sent. */
  readonly loads: ReadonlyMap<string, number>
  /** Nodes that could take shards of this stripe at all, to know how thinly it can be spread. */
  readonly liveNodes: number
  /** Spreads the load of different blobs over equal candidates; the same seed gives the same choice. */
  readonly seed: string
}

/**
 * The substitute, or `undefined` when no candidate would add to what the stripe can lose.
 *
 * A node of the same zone comes first, for that keeps what the loss of a zone costs; but not if it had to hold more of
 * the stripe than an even spread over the live nodes gives each, nor more than m, for then its own loss would be worse.
 * Otherwise the node with the fewest shards of the stripe, whatever its zone. A second copy of a replica on one node
 * adds nothing, so replicas take only nodes that hold none.
 */
export function chooseSubstitute(question: SubstituteQuestion): string | undefined {
  const { code, zone, candidates, loads, liveNodes, seed } = question
  const even = Math.max(1, Math.min(code.m, Math.ceil(code.total / Math.max(1, liveNodes))))
  let best: string | undefined
  let bestRank: Rank | undefined
  for (const { id, zone: where } of candidates) {
    const load = loads.get(id) ?? 0
    if (code.kind === 'replica' && load > 0) continue
    const near = where === zone
    const rank: Rank = [near && load < even ? 0 : 1, load, near ? 0 : 1, mix(seed, id)]
    if (bestRank === undefined || before(rank, bestRank)) {
      best = id
      bestRank = rank
    }
  }
  return best
}

type Rank = readonly [far: number, load: number, elsewhere: number, tie: number]

function before(a: Rank, b: Rank): boolean {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** FNV-1a over both strings, 32 bits: only to break ties evenly. */
function mix(seed: string, id: string): number {
  let hash = 0x811c9dc5
  for (const text of [seed, '\n', id]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  }
  return hash >>> 0
}
