/** The generator matrix of a code, and what decoding needs of it. Matrices are arrays of rows of field elements. */

import type { Code } from './code.ts'
import { inverse, multiply } from './gf256.ts'

export type Row = readonly number[]
export type Matrix = readonly Row[]

/** Fewer than k shards are left: the bytes cannot be had from these. */
export class TooFewShardsError extends Error {
  override readonly name = 'TooFewShardsError'

  constructor(code: Code, available: number) {
    super(`${code.name} needs ${code.k} shards to restore a stripe; ${available} are available`)
  }
}

/**
 * The m × k parity rows: `parity[i] = Σ_j row[i][j] · data[j]`.
 *
 * - `rs`: Cauchy, `row[i][j] = 1 / ((k + i) ⊕ j)`, the same as Intel ISA-L's `gf_gen_cauchy1_matrix`. Every square
 *   submatrix of a Cauchy matrix is invertible, so any k of the k + m shards restore the rest, for every k + m <= 256.
 * - `replica`: ones.
 */
export function parityRows(code: Code): Matrix {
  return build(code.m, code.k, (i, j) => (code.kind === 'replica' ? 1 : inverse((code.k + i) ^ j)))
}

/** The total × k matrix that makes all shards of the data shards: the identity (the code is systematic), then parity. */
export function generatorMatrix(code: Code): Matrix {
  return [...identity(code.k), ...parityRows(code)]
}

/** What computes lost shards from available ones. */
export interface RecoveryPlan {
  /** The k shards that are read, ascending: data shards first, as their rows are the sparsest. */
  readonly sources: readonly number[]
  /** One row a wanted shard: `shard[wanted[i]] = Σ_j rows[i][j] · shard[sources[j]]`. */
  readonly rows: Matrix
}

/**
 * How to compute the shards `wanted` from k of the shards `available`. Both are shard numbers, data or parity.
 *
 * @throws {RangeError} when a number is out of range or given twice, or a shard is both wanted and available.
 * @throws {TooFewShardsError} when fewer than k shards are available.
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
  if (available.length < code.k) throw new TooFewShardsError(code, available.length)
  const sources = available.toSorted((a, b) => a - b).slice(0, code.k)
  const generator = generatorMatrix(code)
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

/** The n × n identity. */
export function identity(n: number): Matrix {
  return build(n, n, (i, j) => (i === j ? 1 : 0))
}

function build(rows: number, columns: number, element: (row: number, column: number) => number): Matrix {
  return Array.from({ length: rows }, (_row, i) =>
    Array.from({ length: columns }, (_column, j) => element(i, j)),
  )
}

function rowOf(matrix: Matrix, index: number): Row {
  const row = matrix[index]
  if (row === undefined) throw new RangeError(`no row ${index}`)
  return row
}
