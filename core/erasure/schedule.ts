/** In which order and how the kernel computes shards: as few by multiplication as it can. Pure. */

import type { Code } from './code.ts'
import type { Row } from './generator.ts'
import { localGroupOf, localMembers } from './local.ts'
import type { RecoveryPlan } from './matrix.ts'

/** Shards are numbers of the stripe's shards. */
export interface Schedule {
  /** What is read; the order is that of the columns of `multiplied`. */
  readonly sources: readonly number[]
  /** Computed first, of all sources, by a row of coefficients each. */
  readonly multiplied: readonly Product[]
  /** Computed then, as the XOR of sources and of those just multiplied. */
  readonly sums: readonly Sum[]
}

interface Product {
  readonly shard: number
  readonly row: Row
}

interface Sum {
  readonly shard: number
  readonly of: readonly number[]
}

/**
 * How the kernel does what `plan` says of the shards `wanted`. In a local group all shards but one of which are read or computed
 * anyway, that one is their XOR: so are all local parities when a stripe is encoded, and one lost shard of a group.
 *
 * Sources of a sum stand side by side, sum by sum, so that a few shapes of generated code do for all losses.
 */
export function schedule(code: Code, plan: RecoveryPlan, wanted: readonly number[]): Schedule {
  const sums = sumsOf(code, plan.sources, wanted)
  const summed = new Set(sums.map(({ shard }) => shard))
  const first = sums.flatMap(({ of }) => of)
  const order = (shards: readonly number[]): number[] => [
    ...first.filter((shard) => shards.includes(shard)),
    ...shards.filter((shard) => !first.includes(shard)),
  ]
  const sources = order(plan.sources)
  const columns = sources.map((shard) => plan.sources.indexOf(shard))
  const multiplied = order(wanted.filter((shard) => !summed.has(shard))).map((shard) => {
    const row = plan.rows[wanted.indexOf(shard)] ?? []
    return { shard, row: columns.map((column) => row[column] ?? 0) }
  })
  return { sources, multiplied, sums }
}

/** The last wanted shard of each group that has the others; those sums with the most sources first. */
function sumsOf(code: Code, sources: readonly number[], wanted: readonly number[]): Sum[] {
  const { local } = code
  if (local === undefined) return []
  const groups = new Set(wanted.map((shard) => localGroupOf(local, shard)))
  const read = ({ of }: Sum): number => of.filter((shard) => sources.includes(shard)).length
  return [...groups]
    .flatMap((group) => {
      const members = localMembers(local, group)
      if (!members.every((shard) => sources.includes(shard) || wanted.includes(shard))) return []
      const shard = members.findLast((member) => wanted.includes(member))
      return shard === undefined ? [] : [{ shard, of: members.filter((member) => member !== shard) }]
    })
    .toSorted((a, b) => read(b) - read(a))
}
