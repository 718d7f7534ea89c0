import { comparePositions, holds, type PartitionRange, type Position } from '../keyspace/partitions.ts'
import { SPLIT_SAMPLES_MIN, SPLIT_SHARE_PERCENT_FALLBACK, SPLIT_SHARE_PERCENT_MIN } from '../limits.ts'
import type { WeightedPosition } from './load.ts'

/** Where a partition is cut, or why nowhere. */
export type SplitChoice =
  | {
      readonly at: Position
      /** What lies at `at`: a bucket's first key, a prefix that ends with the delimiter, or just something between two keys. */
      readonly boundary: 'bucket' | 'prefix' | 'key'
      /** Share of the weight that lies before `at`, 0 to 1. */
      readonly share: number
    }
  /** `too-few-samples`: nothing can be said. `single-key`: more than half of the load is one key's, which no split shares out. */
  | { readonly at: undefined; readonly reason: 'too-few-samples' | 'single-key' }

/** A split position between two neighbours of the sample, and what makes it better or worse than others. */
interface Candidate {
  readonly at: Position
  readonly boundary: 'bucket' | 'prefix' | 'key'
  readonly share: number
  /** The lower, the better; compared one by one. */
  readonly rank: readonly [kind: number, length: number, distance: number]
}

const DELIMITER = '/'

/**
 * The position that halves the weight seen in a range. Any position between two neighbours of the sample would do the same,
 * so the one is taken that says most to people: a bucket's start, then the prefix with the fewest delimiters, then the
 * shortest string; if several of these lie so that each half has its share, the one nearest to the middle.
 *
 * The position lies strictly inside the range, so that both halves are there. It depends on nothing but what is given.
 *
 * Shortest separators between neighbours are those of prefix B-trees (Bayer and Unterauer, 1977).
 */
export function chooseSplitKey(
  range: Pick<PartitionRange, 'start' | 'end'>,
  sample: readonly WeightedPosition[],
): SplitChoice {
  const inside = sample.filter(
    (position) => position.weight > 0 && holds({ id: 0, owner: '', ...range }, position),
  )
  if (inside.length < SPLIT_SAMPLES_MIN) return { at: undefined, reason: 'too-few-samples' }
  const candidates = candidatesOf(inside)
  const best =
    bestWithin(candidates, SPLIT_SHARE_PERCENT_MIN / 100) ??
    bestWithin(candidates, SPLIT_SHARE_PERCENT_FALLBACK / 100)
  // Between two neighbours in order the share only grows: where it steps over the middle half, one key holds all of that.
  if (best === undefined) return { at: undefined, reason: 'single-key' }
  const { at, boundary, share } = best
  return { at, boundary, share }
}

function candidatesOf(sample: readonly WeightedPosition[]): Candidate[] {
  const sorted = sample.toSorted(comparePositions)
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0)
  const candidates: Candidate[] = []
  let before = 0
  let left: WeightedPosition | undefined
  for (const right of sorted) {
    const share = before / total
    if (
      left !== undefined &&
      share >= SPLIT_SHARE_PERCENT_FALLBACK / 100 &&
      comparePositions(left, right) < 0
    ) {
      candidates.push(candidateBetween(left, right, share))
    }
    before += right.weight
    left = right
  }
  return candidates
}

/** The best position after `left`, and not after `right`. */
function candidateBetween(left: Position, right: Position, share: number): Candidate {
  const distance = Math.abs(share - 0.5)
  if (left.bucket !== right.bucket) {
    return { at: { bucket: right.bucket, key: '' }, boundary: 'bucket', share, rank: [0, 0, distance] }
  }
  const { bucket } = right
  const shared = sharedLength(left.key, right.key)
  const delimiter = right.key.indexOf(DELIMITER, shared)
  if (delimiter !== -1) {
    const key = right.key.slice(0, delimiter + DELIMITER.length)
    return { at: { bucket, key }, boundary: 'prefix', share, rank: [1, depthOf(key), distance] }
  }
  // All of the code point that differs: half of a surrogate pair is no key.
  const differs = String.fromCodePoint(right.key.codePointAt(shared) ?? 0)
  const key = right.key.slice(0, shared) + differs
  return { at: { bucket, key }, boundary: 'key', share, rank: [2, key.length, distance] }
}

function bestWithin(candidates: readonly Candidate[], shareMin: number): Candidate | undefined {
  let best: Candidate | undefined
  for (const candidate of candidates) {
    if (candidate.share < shareMin || candidate.share > 1 - shareMin) continue
    if (best === undefined || compareRanks(candidate, best) < 0) best = candidate
  }
  return best
}

/** Candidates come in order, so that of equals the first stays. */
function compareRanks({ rank: a }: Candidate, { rank: b }: Candidate): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

/** Code units that both begin with, whole code points only. */
function sharedLength(left: string, right: string): number {
  let length = 0
  while (length < left.length && length < right.length && left[length] === right[length]) length++
  const before = right.charCodeAt(length - 1)
  return before >= 0xd800 && before <= 0xdbff ? length - 1 : length
}

function depthOf(prefix: string): number {
  return prefix.split(DELIMITER).length
}
