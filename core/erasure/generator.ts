/** The generator matrix of a code. Matrices are arrays of rows of field elements. */

import type { Code } from './code.ts'
import { cauchy } from './gf256.ts'
import { localMembers } from './local.ts'

export type Row = readonly number[]
export type Matrix = readonly Row[]

/**
 * The parity rows, (total - k) × k: `parity[i] = Σ_j row[i][j] · data[j]`.
 *
 * - `rs`: Cauchy, `row[i][j] = 1 / ((k + i) ⊕ j)`, the same as Intel ISA-L's `gf_gen_cauchy1_matrix`. Every square
 *   submatrix of a Cauchy matrix is invertible, so any k of the k + m shards restore the rest, for every k + m <= 256.
 * - `replica`: ones.
 * - `lrc`: the rows of `rs` for the globals, then for each local group the sum of its shards' rows.
 */
export function parityRows(code: Code): Matrix {
  const { k, total, local } = code
  const rows = total - k - (local?.l ?? 0)
  const globals = build(rows, k, (i, j) => (code.kind === 'replica' ? 1 : cauchy(k + i, j)))
  if (local === undefined) return globals
  const shards = [...identity(k), ...globals]
  const locals = Array.from({ length: local.l }, (_, group) =>
    localMembers(local, group)
      .slice(0, -1)
      .map((shard) => rowOf(shards, shard))
      .reduce((sum, row) => sum.map((value, j) => value ^ (row[j] ?? 0))),
  )
  return [...globals, ...locals]
}

/** The total × k matrix that makes all shards of the data shards: the identity (the code is systematic), then parity. */
export function generatorMatrix(code: Code): Matrix {
  return [...identity(code.k), ...parityRows(code)]
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

/** @throws {RangeError} when the matrix has no such row */
export function rowOf(matrix: Matrix, index: number): Row {
  const row = matrix[index]
  if (row === undefined) throw new RangeError(`no row ${index}`)
  return row
}
