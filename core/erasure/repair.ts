/** What a code needs to bring back lost shards, and what it can still lose. Pure. */

import type { Code } from './code.ts'

/**
 * The shards to read so that all of `wanted` can be computed, or `undefined` when `available` does not suffice. As few as
 * there can be, then the earliest in `available`.
 *
 * @param available in order of preference; none of `wanted` among them
 */
export function sourcesFor(
  code: Code,
  wanted: readonly number[],
  available: readonly number[],
): readonly number[] | undefined {
  if (wanted.length === 0) return []
  return available.length < code.k ? undefined : available.slice(0, code.k)
}

/** How many more shards, whichever, a stripe without `lost` can lose and still be read; negative: it cannot be read. */
export function shardsToSpare(code: Code, lost: readonly number[]): number {
  return code.m - lost.length
}
