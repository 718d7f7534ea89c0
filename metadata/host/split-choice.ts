import { compareBytes, type KeyRange, next } from '../../core/keyspace/bytes.ts'
import { readObjectPosition } from '../../core/keyspace/keys.ts'
import { comparePositions, engineRanges, type Position } from '../../core/keyspace/partitions.ts'
import { ENGINE_SCAN_ENTRIES_MAX, SPLIT_BISECTIONS, SPLIT_WALK_ENTRIES } from '../../core/limits.ts'
import { chooseSplitKey } from '../../core/partitioning/split-key.ts'
import type { Engine } from '../engine/engine.ts'
import { refused } from './map-plans.ts'
import type { OwnedPartition } from './owned.ts'

/**
 * Where a partition is to be split for which nobody named a position: where its load is halved, or else its objects.
 * @throws {MetadataError} PARTITION_REFUSED
 */
export async function chooseSplit(engine: Engine, owned: OwnedPartition): Promise<Position> {
  const { partition, meter } = owned
  const byLoad = meter.splitKey(partition.range)
  if (byLoad.at !== undefined) return byLoad.at
  const byObjects = await middleOf(engine, owned)
  if (byObjects !== undefined) return byObjects
  owned.indivisible = true
  throw refused(`nothing in partition ${partition.range.id} says where it could be split: name a position`)
}

async function middleOf(engine: Engine, { partition }: OwnedPartition): Promise<Position | undefined> {
  const { range } = partition
  const [objects] = engineRanges(range)
  if (objects === undefined) return undefined
  const walked = await walk(engine, objects)
  if (walked !== undefined) {
    return chooseSplitKey(
      range,
      walked.map((position) => ({ ...position, weight: 1 })),
    ).at
  }
  const found = await bisect(engine, objects)
  return found !== undefined && comparePositions(range.start, found) < 0 ? found : undefined
}

/** All objects of the range; undefined: there are too many. */
async function walk(engine: Engine, { gte, lt }: KeyRange): Promise<Position[] | undefined> {
  const positions: Position[] = []
  for (let cursor = gte; ;) {
    const entries = await engine.scan({ gte: cursor, lt, limit: ENGINE_SCAN_ENTRIES_MAX })
    for (const { key } of entries) positions.push(readObjectPosition(key))
    const last = entries.at(-1)
    if (last === undefined || entries.length < ENGINE_SCAN_ENTRIES_MAX) return positions
    if (positions.length >= SPLIT_WALK_ENTRIES) return undefined
    cursor = next(last.key)
  }
}

/** The object before which about half of the range lies, by the engine's estimates. */
async function bisect(engine: Engine, range: KeyRange): Promise<Position | undefined> {
  const [first] = await engine.scan({ ...range, limit: 1 })
  const [last] = await engine.scan({ ...range, limit: 1, reverse: true })
  if (first === undefined || last === undefined) return undefined
  let low = first.key
  let high = last.key
  let found: Uint8Array | undefined
  for (let step = 0; step < SPLIT_BISECTIONS; step++) {
    const [entry] = await engine.scan({ gte: between(low, high), lt: range.lt, limit: 1 })
    if (entry === undefined || compareBytes(entry.key, low) <= 0) break
    found = entry.key
    const [before, after] = await Promise.all([
      engine.estimate({ gte: range.gte, lt: entry.key }),
      engine.estimate({ gte: entry.key, lt: range.lt }),
    ])
    const less = before.entries ?? before.bytes ?? 0
    const more = after.entries ?? after.bytes ?? 0
    if (less === more || compareBytes(entry.key, high) >= 0) break
    if (less < more) low = entry.key
    else high = entry.key
  }
  return found === undefined ? undefined : readObjectPosition(found)
}

/** Bytes that sort about half way between two keys. */
function between(low: Uint8Array, high: Uint8Array): Uint8Array {
  const length = Math.max(low.length, high.length) + 1
  const middle = new Uint8Array(length)
  let carry = 0
  // The sum of both, halved as it is made, from the first byte on.
  for (let index = 0; index < length; index++) {
    const sum = carry * 256 + (low[index] ?? 0) + (high[index] ?? 0)
    middle[index] = Math.floor(sum / 2) & 0xff
    carry = sum % 2
  }
  return middle
}
