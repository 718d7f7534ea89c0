/** Which shards to read so that the wanted ones can be made, and how to prove what was made. Pure. */

import type { Code } from '../../core/erasure/code.ts'
import { planRecovery } from '../../core/erasure/matrix.ts'
import { sourcesFor } from '../../core/erasure/repair.ts'

export interface ReadPlan {
  /** To be read now: wanted ones to be copied, and others to compute from. */
  readonly read: readonly number[]
  /** Shards that those still wanted are then computed from; they are in hand, or among `read`. */
  readonly sources: readonly number[]
  /** The wanted shards that are then computed. */
  readonly computed: readonly number[]
  /** The wanted shards that cannot be made of what there is. */
  readonly hopeless: readonly number[]
}

export interface StripeState {
  readonly code: Code
  readonly wanted: readonly number[]
  /** Shards in hand. */
  readonly held: readonly number[]
  /** Shards that can be read, none of them in hand, in order of preference. */
  readonly readable: readonly number[]
}

/** The fewest reads: what can be copied is copied, and what was read once serves for everything. */
export function planReads({ code, wanted, held, readable }: StripeState): ReadPlan {
  const missing = wanted.filter((shard) => !held.includes(shard))
  if (code.kind === 'replica') return planCopy(missing, held, readable)
  const copies = missing.filter((shard) => readable.includes(shard))
  const inHand = [...held, ...copies]
  const available = [...inHand, ...readable.filter((shard) => !copies.includes(shard))]
  const rest = missing.filter((shard) => !copies.includes(shard))
  const computed = rest.filter((shard) => sourcesFor(code, [shard], available) !== undefined)
  const sources = sourcesFor(code, computed, available, inHand)
  if (sources === undefined) {
    throw new Error(`${code.name} makes ${computed.join()} one by one, but not together`)
  }
  return {
    read: [...copies, ...sources.filter((shard) => !inHand.includes(shard))],
    sources,
    computed,
    hopeless: rest.filter((shard) => !computed.includes(shard)),
  }
}

/** Any copy is every copy. */
function planCopy(
  missing: readonly number[],
  held: readonly number[],
  readable: readonly number[],
): ReadPlan {
  const done = { read: [], sources: [], computed: [], hopeless: [] }
  if (missing.length === 0 || held.length > 0) return done
  return readable.length === 0 ? { ...done, hopeless: missing } : { ...done, read: readable.slice(0, 1) }
}

export interface Proof {
  readonly shard: number
  readonly from: readonly number[]
}

/**
 * How the computed shards are checked against what they were computed from, without reading more: each of them, with all but
 * one of the sources, must give that one back. It goes through other coefficients than it came by, so that an error of the
 * arithmetic, or a bit that flipped in memory, shows. A shard for which the code has no such relation gets no proof.
 */
export function proofsFor(code: Code, computed: readonly number[], sources: readonly number[]): Proof[] {
  return computed.flatMap((shard) => {
    for (const source of sources) {
      const others = sources.filter((other) => other !== source)
      const from = sourcesFor(code, [source], [shard, ...others])
      if (from !== undefined && counts(code, shard, from, source)) return [{ shard: source, from }]
    }
    return []
  })
}

/** Whether `shard` has a part in what the shards `from` make of `wanted`. */
function counts(code: Code, shard: number, from: readonly number[], wanted: number): boolean {
  if (!from.includes(shard)) return false
  // Of a Reed–Solomon code, each of any k shards has a part in every other.
  if (code.local === undefined) return true
  const { sources, rows } = planRecovery(code, from, [wanted])
  return (rows[0]?.[sources.indexOf(shard)] ?? 0) !== 0
}
