import type { Code } from '../erasure/code.ts'
import { shardsToSpare } from '../erasure/repair.ts'

/** What is known of the blobs of one placement group: counts, not which blobs they are. */
export interface GroupCounts {
  /** Blobs of the group. */
  readonly blobs: number
  /** By shard index: blobs whose shard cannot be had. At most `blobs`. */
  readonly missing: readonly number[]
  /** By shard index: whether the slot is being filled. */
  readonly filling: readonly boolean[]
}

/**
 * Blobs by the shards they could lose and still be read; negative: they cannot be read. The sum is all of them.
 *
 * Counts do not say which blobs miss which shards, so the answer is the worst that the counts allow, level by level: of
 * blobs with no more than so many to spare there are never more than it says. It is exact
 *
 * - where each shard is missing of all blobs or of none: nodes and zones that are down, however many;
 * - where slots are being filled: repair brings all shards that a blob lacks together, so of those slots the one with fewer
 *   missing lacks only blobs that the others lack as well.
 *
 * Where, beyond that, different blobs are damaged, it is exact in how many are worse off than the rest, and so in how many
 * could not be read if what the rest can spare were lost; how much worse off they are, it takes the worst for granted. Otherwise
 * it errs on the side of danger. All of it holds while `blobs` is right, and repair works as said.
 */
export function spareCounts(code: Code, counts: GroupCounts): Map<number, number> {
  const lines = new Map<number, number>()
  const { blobs } = counts
  if (blobs === 0) return lines
  const { classes, scattered } = split(counts)
  const top = shardsToSpare(code, [])
  let above = blobs
  for (let spare = top; above > 0 && spare >= top - code.total; spare--) {
    // Blobs with less than this to spare; the rest of those that are left have just this.
    const below = worst(code, classes, scattered, spare)
    if (above > below) lines.set(spare, above - below)
    above = below
  }
  return lines
}

/** Blobs that lack just these shards, apart from what is scattered. */
interface BlobClass {
  readonly lacks: readonly number[]
  readonly blobs: number
}

interface Scattered {
  readonly shard: number
  readonly missing: number
}

/** Shards that all blobs lack, and those that some lack on filling slots, make classes; what others lack is scattered. */
function split({ blobs, missing, filling }: GroupCounts): { classes: BlobClass[]; scattered: Scattered[] } {
  const base: number[] = []
  const nested: Scattered[] = []
  const scattered: Scattered[] = []
  for (const [shard, count] of missing.entries()) {
    if (count >= blobs) base.push(shard)
    else if (count > 0) (filling[shard] === true ? nested : scattered).push({ shard, missing: count })
  }
  nested.sort((a, b) => b.missing - a.missing)
  const classes = [blobs, ...nested.map((slot) => slot.missing)].map((count, index): BlobClass => {
    const next = nested[index]?.missing ?? 0
    return { lacks: [...base, ...nested.slice(0, index).map(({ shard }) => shard)], blobs: count - next }
  })
  return { classes: classes.filter((one) => one.blobs > 0), scattered }
}

/** The most blobs that may have less than `spare` to spare. */
function worst(
  code: Code,
  classes: readonly BlobClass[],
  scattered: readonly Scattered[],
  spare: number,
): number {
  const shards = scattered.map(({ shard }) => shard)
  let already = 0
  const open: { blobs: number; needs: number }[] = []
  for (const { lacks, blobs } of classes) {
    const needs = shardsNeeded(code, lacks, shards, spare)
    if (needs === 0) already += blobs
    else if (needs <= shards.length) open.push({ blobs, needs })
  }
  open.sort((a, b) => a.needs - b.needs)
  // So many of the cheapest blobs need so many missing shards, of which each index has so many at most.
  let low = 0
  let high = open.reduce((sum, { blobs }) => sum + blobs, 0)
  while (low < high) {
    const count = Math.ceil((low + high) / 2)
    const there = scattered.reduce((sum, { missing }) => sum + Math.min(missing, count), 0)
    if (there >= costOf(open, count)) low = count
    else high = count - 1
  }
  return already + low
}

function costOf(open: readonly { blobs: number; needs: number }[], count: number): number {
  let left = count
  let cost = 0
  for (const { blobs, needs } of open) {
    const taken = Math.min(left, blobs)
    cost += taken * needs
    left -= taken
  }
  return cost
}

/** Sets of shards that are tried one by one; beyond, the worst is taken for granted. */
const SETS_MAX = 2000

/** How few of `shards` a blob that lacks `lacks` must lack on top to have less than `spare` to spare; more than there are: none would do. */
function shardsNeeded(
  code: Code,
  lacks: readonly number[],
  shards: readonly number[],
  spare: number,
): number {
  const now = shardsToSpare(code, lacks)
  if (now < spare) return 0
  // Without local groups all shards are alike.
  if (code.local === undefined) return now - spare + 1
  let tried = 0
  for (let size = 1; size <= shards.length; size++) {
    for (const set of subsets(shards, size)) {
      if (++tried > SETS_MAX || shardsToSpare(code, [...lacks, ...set]) < spare) return size
    }
  }
  return shards.length + 1
}

function* subsets(shards: readonly number[], size: number, from = 0): Generator<number[]> {
  if (size === 0) {
    yield []
    return
  }
  for (let index = from; index <= shards.length - size; index++) {
    const shard = shards[index]
    if (shard === undefined) return
    for (const rest of subsets(shards, size - 1, index + 1)) yield [shard, ...rest]
  }
}
