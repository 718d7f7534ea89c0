/** What decoding needs of the generator matrix of a code. */

import type { Code } from './code.ts'
import { generatorMatrix, identity, rowOf, type Matrix } from './generator.ts'
import { inverse, multiply } from './gf256.ts'
import { sourcesFor } from './repair.ts'
import { RowSpace } from './row-space.ts'

export { generatorMatrix, identity, parityRows, type Matrix } from './generator.ts'

/** Too few shards are left: the bytes cannot be had from these. */
export class TooFewShardsError extends Error {
  override readonly name = 'TooFewShardsError'

  constructor(code: Code, available: number) {
    const needs = code.local === undefined ? `${code.k} shards` : 'other shards, or more,'
    super(`${code.name} needs ${needs} to restore a stripe; ${available} are available`)
  }
}

/** What computes lost shards from available ones. */
export interface RecoveryPlan {
  /**
   * The shards that are read, ascending: k, or of a locally repairable code fewer where they suffice. Data shards first, as
   * their rows are the sparsest.
   */
  readonly sources: readonly number[]
  /** One row a wanted shard: `shard[wanted[i]] = Σ_j rows[i][j] · shard[sources[j]]`. */
  readonly rows: Matrix
}

/**
 * How to compute the shards `wanted` from as few of the shards `available` as there can be. Both are shard numbers, data or parity.
 *
 * @throws {RangeError} when a number is out of range or given twice, or a shard is both wanted and available.
 * @throws {TooFewShardsError} when the available shards do not suffice.
 */
export function planRecovery(
  code: Code,
  available: readonly number[],
  wanted: readonly number[],
): RecoveryPlan {
  const seen = new Set<number>()
  for (const shard of [...available, ...wanted]) {
    if (!Number.isInteger(shard) || shard < 0 || shard >= code.total || seen.has(shard)) {
      throw new RangeError(`${code.name}: shard ${shard} is not a shard number, or is given twice`)
    }
    seen.add(shard)
  }
  const ordered = available.toSorted((a, b) => a - b)
  const generator = generatorMatrix(code)
  const { local, k } = code
  if (local !== undefined) return planLocal(code, generator, ordered, wanted)
  if (ordered.length < k) throw new TooFewShardsError(code, ordered.length)
  const sources = ordered.slice(0, k)
  // generator[sources] · data = shards[sources], hence data = inverse · shards[sources], and any shard is its row of
  // the generator times that.
  const decoder = invert(sources.map((shard) => rowOf(generator, shard)))
  return {
    sources,
    rows: multiplyMatrix(
      wanted.map((shard) => rowOf(generator, shard)),
      decoder,
    ),
  }
}

function planLocal(
  code: Code,
  generator: Matrix,
  available: readonly number[],
  wanted: readonly number[],
): RecoveryPlan {
  const sources = sourcesFor(code, wanted, available)
  if (sources === undefined) throw new TooFewShardsError(code, available.length)
  const space = new RowSpace(generator)
  for (const shard of sources) space.add(shard)
  const rows = wanted.map((shard) => space.combination(shard))
  // Sources may be dependent: the rest of two groups are, where all data is in them.
  return {
    sources: space.members,
    rows: rows.map((row) => {
      if (row === undefined) throw new TooFewShardsError(code, available.length)
      return row
    }),
  }
}

/** The product of two matrices (a is n × k, b is k × l). */
export function multiplyMatrix(a: Matrix, b: Matrix): Matrix {
  const columns = b[0]?.length ?? 0
  return a.map((row) =>
    Array.from({ length: columns }, (_, column) =>
      row.reduce((sum, factor, j) => sum ^ multiply(factor, b[j]?.[column] ?? 0), 0),
    ),
  )
}

/**
 * The inverse of a square matrix, by Gauss–Jordan elimination.
 *
 * @throws {RangeError} when the matrix is singular (no submatrix of a Cauchy generator is) or not square.
 */
export function invert(matrix: Matrix): Matrix {
  const n = matrix.length
  const work = matrix.map((row, i) => {
    if (row.length !== n) throw new RangeError('not a square matrix')
    return [...row, ...(identity(n)[i] ?? [])]
  })
  for (let column = 0; column < n; column++) {
    const found = work.findIndex((row, i) => i >= column && row[column] !== 0)
    if (found < 0) throw new RangeError('singular matrix')
    const pivot = rowOf(work, found)
    const factor = inverse(pivot[column] ?? 0)
    const scaled = pivot.map((value) => multiply(value, factor))
    work[found] = [...rowOf(work, column)]
    work[column] = scaled
    for (let i = 0; i < n; i++) {
      const row = rowOf(work, i)
      const times = row[column] ?? 0
      if (i === column || times === 0) continue
      work[i] = row.map((value, j) => value ^ multiply(times, scaled[j] ?? 0))
    }
  }
  return work.map((row) => row.slice(n))
}
