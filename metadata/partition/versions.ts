import { toBinary } from '@bufbuild/protobuf'
import { nullVersionKey, nullVersionValue, objectKey, versionKey } from '../../core/keyspace/keys.ts'
import { BucketVersioning, type ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { objectKind } from '../records.ts'
import { type FoundVersion, newestVersions, viewNullVersion } from './find-version.ts'
import { garbageOf } from './garbage.ts'
import type { OutboxTask } from './outbox.ts'
import type { Decision, Partition } from './partition.ts'
import { annotationsMarker } from './purge.ts'

/**
 * How the versions of a key make room for a new one, and close up behind one that is removed.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
 */

/** What a new version, an object or a delete marker, changes around itself. */
export interface Succession {
  /** The new version's {@link ObjectRecord.order}. */
  readonly order: bigint
  /** Whether the new version has an id of its own. */
  readonly versioned: boolean
  readonly puts: readonly EngineEntry[]
  readonly deletes: readonly Uint8Array[]
  /** The version that it replaces for good: see {@link removedVersion}. */
  readonly removed: ObjectRecord | undefined
}

/**
 * What a new current version does to the others. Its own record, and that of the current object, which it replaces in
 * its place, are the caller's. Under the key's lock.
 */
export function succeed(
  partition: Partition,
  versioning: BucketVersioning,
  { bucket, key }: { readonly bucket: string; readonly key: string },
  current: ObjectRecord | undefined,
): Succession | Promise<Succession> {
  if (versioning === BucketVersioning.NEVER) {
    return { order: 0n, versioned: false, puts: [], deletes: [], removed: current }
  }
  if (versioning === BucketVersioning.ENABLED) {
    const order = BigInt(partition.orders.take())
    return { order, versioned: true, puts: kept(current), deletes: [], removed: undefined }
  }
  return succeedNullVersion(partition, bucket, key, current)
}

/** Of a bucket whose versioning is suspended: the null version is replaced wherever it is. */
async function succeedNullVersion(
  partition: Partition,
  bucket: string,
  key: string,
  current: ObjectRecord | undefined,
): Promise<Succession> {
  const replaced = await viewNullVersion(partition, bucket, key, current)
  const order = BigInt(partition.orders.take())
  const inPlace = replaced === undefined || replaced.object === current
  return {
    order,
    versioned: false,
    puts: current?.versioned === true ? kept(current) : [],
    deletes: inPlace ? [] : [replaced.at, nullVersionKey(bucket, key)],
    removed: replaced?.object,
  }
}

/** A version among those that are not the current object, with the pointer that finds it if it is the null version. */
export function versionEntries(object: ObjectRecord, bytes: Uint8Array): EngineEntry[] {
  const { bucket, key, order, versioned } = object
  const entries = [{ key: versionKey(bucket, key, order), value: bytes }]
  if (!versioned) entries.push({ key: nullVersionKey(bucket, key), value: nullVersionValue(order) })
  return entries
}

function kept(current: ObjectRecord | undefined): EngineEntry[] {
  if (current === undefined) return []
  // As it was read, its format included.
  return versionEntries(current, toBinary(objectKind.schema, current))
}

/**
 * The removal of one version; if it was the current one, the next newest becomes current: an object moves to where
 * current objects are, a delete marker stays. Under the key's lock.
 */
export async function removeVersion(
  partition: Partition,
  versioning: BucketVersioning,
  { at, object }: FoundVersion,
  current: ObjectRecord | undefined,
): Promise<Decision> {
  const { bucket, key } = object
  const { puts, tasks } = await removedVersion(partition, object)
  const deletes = [at]
  if (versioning === BucketVersioning.NEVER) return { puts, deletes, tasks }
  const isObject = current?.order === object.order
  if (!object.versioned && !isObject) deletes.push(nullVersionKey(bucket, key))
  if (current !== undefined && !isObject) return { puts, deletes, tasks }
  const newest = await newestVersions(partition, bucket, key, 2)
  const wasCurrent = isObject || newest[0]?.object.order === object.order
  const follower = newest.find((version) => version.object.order !== object.order)
  if (wasCurrent && follower !== undefined && !follower.object.deleteMarker) {
    puts.push({ key: objectKey(bucket, key), value: follower.bytes })
    deletes.push(follower.at)
    if (!follower.object.versioned) deletes.push(nullVersionKey(bucket, key))
  }
  return { puts, deletes, tasks }
}

/** What {@link removedVersion} says of none. */
export const NOTHING_REMOVED = { puts: [], tasks: [] } as const

/** What follows from a version being gone for good: its bytes are garbage, and so are its annotations. */
export async function removedVersion(
  partition: Partition,
  object: ObjectRecord | undefined,
): Promise<{ puts: EngineEntry[]; tasks: OutboxTask[] }> {
  return { puts: annotationsMarker(object), tasks: await garbageOf(partition, object) }
}
