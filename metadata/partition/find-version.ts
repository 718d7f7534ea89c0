import { next } from '../../core/keyspace/bytes.ts'
import {
  nullVersionKey,
  objectKey,
  readNullVersionValue,
  versionKey,
  versionsOfKey,
} from '../../core/keyspace/keys.ts'
import { NULL_VERSION_ID, parseVersionId, versionIdOf } from '../../core/records/version-id.ts'
import { BucketVersioning, type ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry, ScanRequest } from '../engine/engine.ts'
import { deletedKey, markerRefused, noSuchKey, noSuchVersion } from '../failure.ts'
import { decodeRecord, objectKind } from '../records.ts'
import { readBucket } from './bucket.ts'
import type { Partition } from './partition.ts'

/**
 * Finding one version of an object. The current version, if it is an object, lies in a space of its own; all others and
 * every delete marker lie in another, by their order, which the version id holds (see core/keyspace/keys.ts).
 */

/** A version as requests name it: an empty version id is the current version. */
export interface NamedVersion {
  readonly bucket: string
  readonly key: string
  readonly versionId: string
}

/** A version's record, and the engine key it lies at. */
export interface FoundVersion {
  readonly at: Uint8Array
  readonly object: ObjectRecord
}

/**
 * The durable object. Frozen or the caller's own.
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION, METHOD_NOT_ALLOWED for a delete marker by its id
 */
export async function readVersion(partition: Partition, named: NamedVersion): Promise<ObjectRecord> {
  const object = await readAny(partition, named)
  if (object === undefined) await readBucket(partition, named.bucket)
  return requireObject(named, object)
}

/** The object for a decision, under its key's lock. @throws {MetadataError} as {@link readVersion} */
export async function viewVersion(partition: Partition, named: NamedVersion): Promise<FoundVersion> {
  const { versioning } = await readBucket(partition, named.bucket)
  const found = await viewAny(partition, versioning, named)
  const object = requireObject(named, found?.object)
  return { at: found?.at ?? objectKey(named.bucket, named.key), object }
}

function requireObject({ key, versionId }: NamedVersion, found: ObjectRecord | undefined): ObjectRecord {
  if (found === undefined) throw versionId === '' ? noSuchKey(key) : noSuchVersion(key, versionId)
  if (!found.deleteMarker) return found
  throw versionId === '' ? deletedKey(key, versionIdOf(found)) : markerRefused(versionId)
}

/**
 * The durable version, be it an object or a delete marker. A version moves when another one supersedes it or is removed
 * from above it; so where one look does not find it, both places are looked at in the same instant.
 */
export async function readAny(
  partition: Partition,
  { bucket, key, versionId }: NamedVersion,
): Promise<ObjectRecord | undefined> {
  partition.assertMine(bucket, key)
  const at = objectKey(bucket, key)
  const object = await partition.read(objectKind, at)
  if (object !== undefined && (versionId === '' || versionIdOf(object) === versionId)) return object
  const { versioning } = await readBucket(partition, bucket)
  if (versioning === BucketVersioning.NEVER) return undefined
  if (versionId === '') {
    const newest = { ...versionsOfKey(bucket, key), limit: 1 }
    return first(await partition.scanTogether([only(at), newest]), () => true)
  }
  if (versionId === NULL_VERSION_ID) return readNullVersion(partition, bucket, key)
  const place = parseVersionId(versionId)
  if (place === undefined) return undefined
  const ranges = [only(at), only(versionKey(bucket, key, place.order))]
  return first(await partition.scanTogether(ranges), (one) => versionIdOf(one) === versionId)
}

/** The null version, wherever it is; each round but the last saw another request put it somewhere else. */
async function readNullVersion(
  partition: Partition,
  bucket: string,
  key: string,
): Promise<ObjectRecord | undefined> {
  const pointer = nullVersionKey(bucket, key)
  let guess: bigint | undefined
  for (;;) {
    const ranges = [only(objectKey(bucket, key)), only(pointer)]
    if (guess !== undefined) ranges.push(only(versionKey(bucket, key, guess)))
    const [current = [], pointed = [], guessed = []] = await partition.scanTogether(ranges)
    const object = first([current], (one) => !one.versioned)
    if (object !== undefined) return object
    const [found] = pointed
    if (found === undefined) return undefined
    const order = readNullVersionValue(found.value)
    if (order === guess) return first([guessed], () => true)
    guess = order
  }
}

/** The version as the next decision must see it, be it an object or a delete marker. The caller holds the key's lock. */
export async function viewAny(
  partition: Partition,
  versioning: BucketVersioning,
  { bucket, key, versionId }: NamedVersion,
): Promise<FoundVersion | undefined> {
  const at = objectKey(bucket, key)
  const current = await partition.view(objectKind, at)
  if (current !== undefined && (versionId === '' || versionIdOf(current) === versionId)) {
    return { at, object: current }
  }
  if (versioning === BucketVersioning.NEVER) return undefined
  if (versionId === '') return (await newestVersions(partition, bucket, key, 1))[0]
  if (versionId === NULL_VERSION_ID) return viewNullVersion(partition, bucket, key, current)
  const place = parseVersionId(versionId)
  if (place === undefined) return undefined
  const found = await viewAt(partition, versionKey(bucket, key, place.order))
  return found !== undefined && versionIdOf(found.object) === versionId ? found : undefined
}

/** The null version as the next decision must see it. The caller holds the key's lock. @param current its object, if any */
export async function viewNullVersion(
  partition: Partition,
  bucket: string,
  key: string,
  current: ObjectRecord | undefined,
): Promise<FoundVersion | undefined> {
  if (current?.versioned === false) return { at: objectKey(bucket, key), object: current }
  const pointer = await partition.viewBytes(nullVersionKey(bucket, key))
  if (pointer === undefined) return undefined
  const found = await viewAt(partition, versionKey(bucket, key, readNullVersionValue(pointer)))
  if (found === undefined) throw new Error(`the null version of ${bucket}/${key} is not where it should be`)
  return found
}

/** The newest of a key's versions that are not its current object. The caller holds the key's lock. */
export async function newestVersions(
  partition: Partition,
  bucket: string,
  key: string,
  limit: number,
): Promise<(FoundVersion & { readonly bytes: Uint8Array })[]> {
  await partition.settled()
  const entries = await partition.scan({ ...versionsOfKey(bucket, key), limit })
  return entries.map(({ key: at, value }) => ({ at, bytes: value, object: decodeRecord(objectKind, value) }))
}

async function viewAt(partition: Partition, at: Uint8Array): Promise<FoundVersion | undefined> {
  const object = await partition.view(objectKind, at)
  return object === undefined ? undefined : { at, object }
}

function only(key: Uint8Array): ScanRequest {
  return { gte: key, lt: next(key), limit: 1 }
}

function first(
  found: readonly (readonly EngineEntry[])[],
  fits: (object: ObjectRecord) => boolean,
): ObjectRecord | undefined {
  for (const { value } of found.flat()) {
    const object = decodeRecord(objectKind, value)
    if (fits(object)) return object
  }
  return undefined
}
