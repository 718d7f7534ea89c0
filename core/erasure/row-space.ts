import { inverse, multiply } from './gf256.ts'
import type { Matrix } from './generator.ts'

/** What some rows of a matrix span, and how its vectors are combined of them. */
export class RowSpace {
  readonly #matrix: Matrix
  readonly #members: number[] = []
  /** Of each member: what of its row was new, with a 1 at its pivot, and the combination of members that it is. */
  readonly #known: { readonly pivot: number; readonly row: number[]; readonly of: number[] }[] = []

  constructor(matrix: Matrix) {
    this.#matrix = matrix
  }

  /** The rows that were added and are independent of those before, in that order. */
  get members(): readonly number[] {
    return this.#members
  }

  /** Adds row `index` of the matrix, unless the members span it. */
  add(index: number): void {
    const { row, of } = this.#reduce(this.#matrix[index] ?? [])
    const pivot = row.findIndex((value) => value !== 0)
    if (pivot < 0) return
    const factor = inverse(row[pivot] ?? 0)
    of[this.#members.length] = 1
    this.#members.push(index)
    this.#known.push({ pivot, row: scaled(row, factor), of: scaled(of, factor) })
  }

  /** Row `index` of the matrix as a combination of the members, a coefficient each; `undefined` when they do not span it. */
  combination(index: number): number[] | undefined {
    const { row, of } = this.#reduce(this.#matrix[index] ?? [])
    if (row.some((value) => value !== 0)) return undefined
    return this.#members.map((_, i) => of[i] ?? 0)
  }

  /** What is left of a row, and the combination of members that makes up the difference. */
  #reduce(vector: readonly number[]): { row: number[]; of: number[] } {
    const row = [...vector]
    const of: number[] = this.#members.map(() => 0)
    for (const known of this.#known) {
      const times = row[known.pivot] ?? 0
      if (times === 0) continue
      for (const [i, value] of known.row.entries()) row[i] = (row[i] ?? 0) ^ multiply(times, value)
      for (const [i, value] of known.of.entries()) of[i] = (of[i] ?? 0) ^ multiply(times, value)
    }
    return { row, of }
  }
}

function scaled(vector: readonly number[], factor: number): number[] {
  return vector.map((value) => multiply(value, factor))
}
