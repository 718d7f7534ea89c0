/**
 * Erasure coding in plain TypeScript, by the book: one table lookup a byte and coefficient. It is the oracle the kernel is
 * tested against, and serves where a few small shards are needed and speed is not.
 *
 * Shards are arrays of equal length, numbered as in {@link Code}; any length, 0 included, is allowed.
 */

import type { Code } from './code.ts'
import { productTable } from './gf256.ts'
import { shardBytesFor } from './layout.ts'
import { type Matrix, parityRows, planRecovery, TooFewShardsError } from './matrix.ts'

export type Shard = Uint8Array

/**
 * The m parity shards of k data shards.
 *
 * @throws {RangeError} when the number of shards is not k or their lengths differ.
 */
export function encode(code: Code, data: readonly Shard[]): Uint8Array<ArrayBuffer>[] {
  if (data.length !== code.k) {
    throw new RangeError(`${code.name} takes ${code.k} data shards, not ${data.length}`)
  }
  return combine(parityRows(code), data)
}

/**
 * All shards, where some are given as `undefined`. The given ones are returned as they are.
 *
 * @throws {TooFewShardsError} when fewer than k are given.
 * @throws {RangeError} when the number of places is not k + m or lengths differ.
 */
export function reconstruct(code: Code, shards: readonly (Shard | undefined)[]): Shard[] {
  assertTotal(code, shards.length)
  const available: number[] = []
  const lost: number[] = []
  for (const [index, shard] of shards.entries()) (shard === undefined ? lost : available).push(index)
  const plan = planRecovery(code, available, lost)
  const sources = plan.sources.flatMap((index) => shards[index] ?? [])
  const restored = combine(plan.rows, sources)
  return shards.map((shard, index) => {
    const known = shard ?? restored[lost.indexOf(index)]
    if (known === undefined) throw new TooFewShardsError(code, available.length)
    return known
  })
}

/**
 * Whether the parity shards are those of the data shards.
 *
 * @throws {RangeError} when the number of shards is not k + m or lengths differ.
 */
export function verify(code: Code, shards: readonly Shard[]): boolean {
  assertTotal(code, shards.length)
  sameLength(shards)
  return encode(code, shards.slice(0, code.k)).every((expected, i) => {
    const parity = shards[code.k + i]
    return parity !== undefined && expected.every((byte, at) => byte === parity[at])
  })
}

/** All shards of the one stripe that holds `data` (1 byte to a full stripe), cut as in layout.ts. */
export function encodeStripe(code: Code, data: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const shardBytes = shardBytesFor(code, data.length)
  const shards = Array.from({ length: code.k }, (_, i) => {
    const shard = new Uint8Array(shardBytes)
    shard.set(data.subarray(i * shardBytes, (i + 1) * shardBytes))
    return shard
  })
  return [...shards, ...encode(code, shards)]
}

/** `out[i] = Σ_j rows[i][j] · sources[j]`, byte by byte. */
function combine(rows: Matrix, sources: readonly Shard[]): Uint8Array<ArrayBuffer>[] {
  const length = sameLength(sources)
  return rows.map((row) => {
    const out = new Uint8Array(length)
    for (const [j, source] of sources.entries()) {
      const table = productTable(row[j] ?? 0)
      // Indices are in range by construction: the fallback only satisfies the type checker, and costs nothing.
      for (let at = 0; at < length; at++) out[at] = (out[at] ?? 0) ^ (table[source[at] ?? 0] ?? 0)
    }
    return out
  })
}

function sameLength(shards: readonly Shard[]): number {
  const length = shards[0]?.length ?? 0
  if (shards.some((shard) => shard.length !== length)) throw new RangeError('shards differ in length')
  return length
}

function assertTotal(code: Code, count: number): void {
  if (count !== code.total) throw new RangeError(`${code.name} has ${code.total} shards, not ${count}`)
}
