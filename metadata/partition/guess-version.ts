import { versionKey, versionsOfKey } from '../../core/keyspace/keys.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { decodeRecord, objectKind, versionOf } from '../records.ts'
import type { Partition } from './partition.ts'

/** Versions looked at to either side of where one should be: as many are committed while one is written. */
const NEIGHBOURS = 128

/**
 * Looks for one version among very many of a key, those that are not its current object. They lie in the order of their commits,
 * and a version's name begins with the time at which its writer began: so they are nearly in order of their names, and
 * halving finds it in a few dozen looks. What it does not find may be there all the same.
 * @param newest no order among those that are looked at is higher
 */
export async function guessVersion(
  partition: Partition,
  bucket: string,
  key: string,
  version: string,
  newest: bigint,
): Promise<EngineEntry | undefined> {
  const { gte, lt } = versionsOfKey(bucket, key)
  let low = 0n
  let high = newest
  while (low <= high) {
    const middle = (low + high) / 2n
    // The newest of those that are not newer than the middle.
    const [entry] = await partition.scan({ gte: versionKey(bucket, key, middle), lt, limit: 1 })
    if (entry === undefined) {
      low = middle + 1n
      continue
    }
    const found = decodeRecord(objectKind, entry.value)
    if (found.version === version) return entry
    if (found.version > version) high = found.order - 1n
    else low = middle + 1n
  }
  // Those that are not in order lead astray, but not far.
  const at = versionKey(bucket, key, low)
  const older = await partition.scan({ gte: at, lt, limit: NEIGHBOURS })
  const newer = await partition.scan({ gte, lt: at, limit: NEIGHBOURS, reverse: true })
  return [...older, ...newer].find(({ value }) => versionOf(value) === version)
}
