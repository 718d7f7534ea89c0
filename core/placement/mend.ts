/** Where shards go of a stripe that was taken, but lies so that it may not be acknowledged. Pure. */

import type { Code } from '../erasure/code.ts'
import { acknowledge, fatalNodes } from './acknowledge.ts'
import { chooseSubstitute, type Candidate } from './substitute.ts'

export interface MendQuestion {
  readonly code: Code
  /** The node of each slot of the placement group, by shard number. */
  readonly slots: readonly string[]
  /** The zone of each slot's node; `undefined` when the map no longer knows it. */
  readonly zones: readonly (string | undefined)[]
  /** The node on which each shard is durable, by shard number; `undefined` where none has it. */
  readonly stored: readonly (string | undefined)[]
  /** Nodes that could take the shard. */
  readonly candidates: (shard: number) => readonly Candidate[]
  /** Nodes that could take shards of this stripe at all. */
  readonly liveNodes: number
  /** Spreads the load of different blobs over equal candidates. */
  readonly seed: string
}

/**
 * The shards to send, each with its node, so that the stripe may be acknowledged; `undefined` when none would do.
 *
 * Shards that no node has are sent first, then one after another of a node that must not be lost to one with fewer; when
 * that leads nowhere, all that are away from their slots go home. A shard that moves stays where it was as well, as a surplus
 * copy, which a pass over its group removes.
 */
export function mendStripe(question: MendQuestion): ReadonlyMap<number, string> | undefined {
  return spread(question) ?? returnHome(question)
}

function spread(question: MendQuestion): ReadonlyMap<number, string> | undefined {
  const { code, slots, stored } = question
  const plan = [...stored]
  const moves = new Map<number, string>()
  const move = (shard: number, node: string): void => {
    plan[shard] = node
    moves.set(shard, node)
  }
  for (const shard of plan.keys()) {
    if (plan[shard] !== undefined || acknowledge(code, slots, plan) !== 'refused') continue
    const node = choose(question, plan, shard, Number.POSITIVE_INFINITY)
    if (node !== undefined) move(shard, node)
  }
  // Each move makes the loads more even, so that they come to an end.
  while (acknowledge(code, slots, plan) === 'refused') {
    const best = bestMove(question, plan)
    if (best === undefined) return undefined
    move(best.shard, best.node)
  }
  return moves
}

interface Move {
  readonly shard: number
  readonly node: string
}

/** The move from an overloaded node after which the fewest nodes are such that they must not be lost. */
function bestMove(question: MendQuestion, plan: readonly (string | undefined)[]): Move | undefined {
  const fatal = new Set(fatalNodes(question.code, plan))
  const loads = loadsOf(plan)
  let best: Move | undefined
  let fewest = Number.POSITIVE_INFINITY
  // The most loaded first: of moves that are equally good, theirs.
  const shards = [...plan.keys()].toSorted((a, b) => load(loads, plan[b]) - load(loads, plan[a]))
  for (const shard of shards) {
    const from = plan[shard]
    if (from === undefined || !fatal.has(from)) continue
    const node = choose(question, plan, shard, load(loads, from) - 1)
    if (node === undefined) continue
    const left = fatalNodes(question.code, plan.with(shard, node)).length
    if (left >= fewest) continue
    fewest = left
    best = { shard, node }
  }
  return best
}

/** A node with fewer than `below` shards of the stripe. */
function choose(
  { code, zones, candidates, liveNodes, seed }: MendQuestion,
  plan: readonly (string | undefined)[],
  shard: number,
  below: number,
): string | undefined {
  const loads = loadsOf(plan)
  return chooseSubstitute({
    code,
    zone: zones[shard],
    candidates: candidates(shard).filter(({ id }) => load(loads, id) < below),
    loads,
    liveNodes,
    seed,
  })
}

function returnHome({ slots, stored, candidates }: MendQuestion): ReadonlyMap<number, string> | undefined {
  const moves = new Map<number, string>()
  for (const [shard, home] of slots.entries()) {
    if (stored[shard] === home) continue
    if (!candidates(shard).some(({ id }) => id === home)) return undefined
    moves.set(shard, home)
  }
  return moves
}

function loadsOf(plan: readonly (string | undefined)[]): ReadonlyMap<string, number> {
  const loads = new Map<string, number>()
  for (const node of plan) if (node !== undefined) loads.set(node, (loads.get(node) ?? 0) + 1)
  return loads
}

function load(loads: ReadonlyMap<string, number>, node: string | undefined): number {
  return node === undefined ? 0 : (loads.get(node) ?? 0)
}
