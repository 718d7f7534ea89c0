/**
 * The algebra of locally repairable codes: which losses they survive. Pure.
 *
 * `lrc-k-l-r`: the k data and r global shards are a Reed–Solomon code, any k of them restoring the rest. They are dealt into l
 * local groups, shard i into group i mod l, and each group has one local parity more: the XOR of its (k + r) / l shards. So
 * one lost shard of a group is the XOR of what is left of it.
 *
 * Losses are survived exactly when their columns of the parity-check matrix are linearly independent: r rows of Cauchy
 * coefficients over the data with the identity over the globals, and l rows of ones over each group with its parity.
 *
 * @see Huang et al., Erasure Coding in Windows Azure Storage, USENIX ATC 2012; Gopalan et al., On the Locality of Codeword
 *   Symbols, IEEE Transactions on Information Theory 2012, for the bound on the distance
 */

import { cauchy, inverse, multiply } from './gf256.ts'

/** The numbers of such a code: k data shards, l groups, r global parities. k + r is a multiple of l, all are above 0. */
export interface LocalShape {
  readonly k: number
  readonly l: number
  readonly r: number
}

/** Shards of a group beside its parity: as many as the repair of any one shard reads. */
function localReads({ k, l, r }: LocalShape): number {
  return (k + r) / l
}

/** The local group of a shard: 0 … l-1. */
export function localGroupOf({ k, l, r }: LocalShape, shard: number): number {
  return shard < k + r ? shard % l : shard - k - r
}

/** The shards of a group, ascending; its parity is the last. Any one of them is the XOR of the others. */
export function localMembers(shape: LocalShape, group: number): number[] {
  const { k, l, r } = shape
  return [...range(localReads(shape)).map((i) => group + i * l), k + r + group]
}

/** Whether a stripe without the shards `lost` (each once) can be read. */
export function survives(shape: LocalShape, lost: readonly number[]): boolean {
  if (hitsOf(shape, lost) <= shape.r) return true
  return fatalByCount(shape, lost) > 0 && eliminate(shape, lost) !== undefined
}

/**
 * The size of the smallest set of further shards that a stripe without `lost` cannot be read without; 0 when it cannot be read
 * as it is. Of a whole stripe that is the code's minimum distance.
 *
 * @param atLeast a bound that is known: the search ends when it is met
 */
export function fewestFatal(shape: LocalShape, lost: readonly number[], atLeast: number): number {
  const { k, l, r } = shape
  const basis = eliminate(shape, lost)
  if (basis === undefined) return 0
  // Counting is right but for coefficients that happen to cancel: those are looked for, among smaller sets.
  let best = fatalByCount(shape, lost)
  const rest = range(k + r + l).filter((shard) => !lost.includes(shard))
  const columns = rest.map((shard) => checkColumn(shape, shard))
  const wide = rest.filter((shard) => shard < k + r).length
  const search = (from: number, size: number, hits: number): void => {
    for (let i = from; i < rest.length && size + 1 < best && best > atLeast; i++) {
      // Whatever else is lost, r data and global shards can be.
      if (hits + Math.min(best - 1 - size, Math.max(0, wide - i)) <= r) return
      if (!basis.push(columns[i] ?? NOTHING)) {
        best = size + 1
        return
      }
      search(i + 1, size + 1, hits + (i < wide ? 1 : 0))
      basis.pop()
    }
  }
  search(0, 0, hitsOf(shape, lost))
  return best
}

/**
 * What {@link fewestFatal} would be if coefficients never cancelled; never less than it is. A group that has its parity makes
 * up for one lost shard of its own, and the globals for r more.
 */
export function fatalByCount(shape: LocalShape, lost: readonly number[]): number {
  let short = shape.r + 1
  // Shards each of which costs a global parity when lost: those of groups that have lost one already.
  let exposed = 0
  let whole = 0
  for (let group = 0; group < shape.l; group++) {
    const hits = lost.filter((shard) => localGroupOf(shape, shard) === group).length
    if (hits === 0) whole++
    else {
      short -= hits - 1
      exposed += localReads(shape) + 1 - hits
    }
  }
  if (short <= 0) return 0
  // The first loss of a whole group costs nothing, and exposes the others.
  return short + Math.min(whole, Math.ceil(Math.max(0, short - exposed) / localReads(shape)))
}

/** Data and global shards among those lost. */
function hitsOf({ k, r }: LocalShape, lost: readonly number[]): number {
  return lost.filter((shard) => shard < k + r).length
}

/** The column of a shard in the parity-check matrix: r global checks, then one a group. */
function checkColumn(shape: LocalShape, shard: number): Uint8Array {
  const { k, l, r } = shape
  const column = new Uint8Array(r + l)
  if (shard < k) for (let row = 0; row < r; row++) column[row] = cauchy(k + row, shard)
  else if (shard < k + r) column[shard - k] = 1
  column[r + localGroupOf(shape, shard)] = 1
  return column
}

/** The columns of `lost`, eliminated; `undefined` when they are dependent. */
function eliminate(shape: LocalShape, lost: readonly number[]): Basis | undefined {
  const basis = new Basis()
  return lost.every((shard) => basis.push(checkColumn(shape, shard))) ? basis : undefined
}

const NOTHING = new Uint8Array(0)

/** Independent vectors, each with a 1 where those after it have 0. */
class Basis {
  readonly #vectors: Uint8Array[] = []
  readonly #pivots: number[] = []

  /** False, and nothing is added, when the vector is a combination of those before. */
  push(vector: Uint8Array): boolean {
    const left = vector.slice()
    for (const [i, known] of this.#vectors.entries()) subtract(left, known, left[this.#pivots[i] ?? 0] ?? 0)
    const pivot = left.findIndex((value) => value !== 0)
    if (pivot < 0) return false
    const factor = inverse(left[pivot] ?? 0)
    this.#vectors.push(left.map((value) => multiply(value, factor)))
    this.#pivots.push(pivot)
    return true
  }

  pop(): void {
    this.#vectors.pop()
    this.#pivots.pop()
  }
}

/** `from` -= `times` · `vector`, in place. */
function subtract(from: Uint8Array, vector: Uint8Array, times: number): void {
  if (times === 0) return
  for (let i = 0; i < from.length; i++) from[i] = (from[i] ?? 0) ^ multiply(times, vector[i] ?? 0)
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
