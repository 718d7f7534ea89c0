/** Which shards to reconstruct others from. Pure. */

import type { Code } from '../../core/erasure/code.ts'
import { sourcesFor } from '../../core/erasure/repair.ts'

/** How likely a shard is to come: those `coming` are asked for already and cost nothing. */
export type Likelihood = 'coming' | 'likely' | 'unlikely' | 'lost'

const LIKELIHOODS: readonly Likelihood[] = ['coming', 'likely', 'unlikely', 'lost']

export interface ShardChoice {
  readonly code: Code
  /** The shards to have, of copies none: any serves. */
  readonly wanted: readonly number[]
  /** Shards at hand. */
  readonly got: readonly number[]
  /** Shards on their way, or that could be asked for, none of them at hand. */
  readonly others: readonly number[]
  readonly likelihood: (shard: number) => Likelihood
}

/**
 * The shards it takes, those at hand included; `undefined` when all together are too few. As few as there can be beside what
 * costs nothing, but none that is less likely to come while more of the likely ones would do. The wanted themselves are last
 * of all, for what is thought lost may yet be there.
 */
export function chooseShards(choice: ShardChoice): readonly number[] | undefined {
  const { code, wanted, got, others, likelihood } = choice
  const rank = (shard: number): number => LIKELIHOODS.indexOf(likelihood(shard))
  const ordered = others.toSorted((a, b) => rank(a) - rank(b))
  if (code.kind === 'replica') return firstOf([...got, ...ordered])
  const missing = wanted.filter((shard) => !got.includes(shard))
  const rest = ordered.filter((shard) => !wanted.includes(shard))
  for (let limit = 1; limit < LIKELIHOODS.length; limit++) {
    const free = [...got, ...rest.filter((shard) => rank(shard) === 0)]
    const usable = rest.filter((shard) => rank(shard) <= limit)
    const sources = sourcesFor(code, missing, [...got, ...usable], free)
    if (sources !== undefined) return sources
  }
  const own = ordered.filter((shard) => wanted.includes(shard))
  for (let count = 1; count <= own.length; count++) {
    const tried = own.slice(0, count)
    const left = missing.filter((shard) => !tried.includes(shard))
    const sources = sourcesFor(code, left, [...got, ...rest, ...tried], [...got, ...tried])
    if (sources !== undefined) return [...new Set([...tried, ...sources])]
  }
  return undefined
}

function firstOf(shards: readonly number[]): readonly number[] | undefined {
  return shards.length === 0 ? undefined : shards.slice(0, 1)
}
