/** What is to be done for a blob, from where its shards are and where they belong. Pure. */

import type { Code } from '../../core/erasure/code.ts'
import { shardsToSpare, sourcesFor } from '../../core/erasure/repair.ts'
import type { WorkSlot } from '../cluster/view.ts'

/** A shard of the blob, as a node lists it. */
export interface HeldShard {
  readonly node: string
  readonly stripe: number
  readonly shard: number
  readonly bytes: number
  /** The node knows that it cannot be read there. */
  readonly damaged: boolean
}

export interface Situation {
  readonly code: Code
  /** Of the blob. */
  readonly stripes: number
  readonly slots: readonly WorkSlot[]
  readonly held: readonly HeldShard[]
  /** Nodes whose shards of the blob are all in `held`: of others nothing is known. */
  readonly listed: ReadonlySet<string>
  /** Takes shards now. */
  readonly writable: (node: string) => boolean
}

/** A stripe that lacks shards which can be made. */
export interface StripePlan {
  readonly stripe: number
  /** Nodes that have each shard in good order: those of slots first. */
  readonly sources: ReadonlyMap<number, readonly string[]>
  /** The node for each shard that is to be made. */
  readonly wanted: ReadonlyMap<number, string>
}

export interface BlobPlan {
  /** How many more shards, whichever, the worst stripe can lose of those that were listed; negative: it cannot be read now. */
  readonly spare: number
  readonly rebuild: readonly StripePlan[]
  /** Shard numbers of which some stripe's is not known to be on its slot's node. */
  readonly missing: ReadonlySet<number>
  /** Shards that cannot be brought to their slots now: the node is away or takes nothing, or too few others were listed. */
  readonly waiting: number
  /** Shards on nodes that are neither their slot's node nor its source, or that the blob does not have. */
  readonly extras: readonly HeldShard[]
  /** Something may be done now: a node that could take a shard lacks it, or a shard is too many. */
  readonly actionable: boolean
}

export function planBlob(situation: Situation): BlobPlan {
  const { code, stripes, slots, listed, writable } = situation
  const { sound, extras } = sort(situation)
  const rebuild: StripePlan[] = []
  const missing = new Set<number>()
  let spare = code.m
  let waiting = 0
  let actionable = extras.some(({ stripe, shard }) => {
    const node = slots[shard]?.node
    return node === undefined || stripe >= stripes || sound[stripe]?.get(shard)?.includes(node) === true
  })
  for (let stripe = 0; stripe < stripes; stripe++) {
    const sources = sound[stripe] ?? new Map<number, string[]>()
    const lost = slots.flatMap((_, shard) => (sources.has(shard) ? [] : [shard]))
    spare = Math.min(spare, shardsToSpare(code, lost))
    const available = [...sources.keys()]
    const wanted = new Map<number, string>()
    for (const [shard, { node }] of slots.entries()) {
      if (sources.get(shard)?.includes(node) === true) continue
      missing.add(shard)
      const takes = listed.has(node) && writable(node)
      actionable ||= takes
      const makable = sources.has(shard) || sourcesFor(code, [shard], available) !== undefined
      if (takes && makable) wanted.set(shard, node)
      else waiting++
    }
    if (wanted.size > 0) rebuild.push({ stripe, sources, wanted })
  }
  return { spare, rebuild, missing, waiting, extras, actionable }
}

/** For each stripe, the nodes that have each shard in good order, the slot's first; and what belongs nowhere. */
function sort({ code, stripes, slots, held }: Situation): {
  sound: readonly (Map<number, string[]> | undefined)[]
  extras: HeldShard[]
} {
  const sound: (Map<number, string[]> | undefined)[] = []
  const extras: HeldShard[] = []
  for (const one of held) {
    const { node, stripe, shard, damaged } = one
    const slot = slots[shard]
    if (slot === undefined || stripe >= stripes || shard >= code.total) {
      extras.push(one)
      continue
    }
    const here = node === slot.node
    if (!here && node !== slot.source) extras.push(one)
    if (damaged) continue
    const ofStripe = (sound[stripe] ??= new Map<number, string[]>())
    const nodes = ofStripe.get(shard)
    if (nodes === undefined) ofStripe.set(shard, [node])
    else if (here) nodes.unshift(node)
    else nodes.push(node)
  }
  return { sound, extras }
}

/** Stripes that a blob has at least: one that all nodes lack could not be brought back anyway. */
export function stripesSeen(held: readonly HeldShard[]): number {
  let stripes = 0
  for (const { stripe } of held) stripes = Math.max(stripes, stripe + 1)
  return stripes
}

/** Every shard is on its slot's node, and none anywhere else but on the source of a slot that moves. */
export function isWhole({ missing, extras }: BlobPlan): boolean {
  return missing.size === 0 && extras.length === 0
}
