import { objectKey } from '../../core/keyspace/keys.ts'
import { versionIdOf } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { noSuchKey } from '../failure.ts'
import { objectKind } from '../records.ts'
import { readBucket, viewBucket } from './buckets.ts'
import type { Partition } from './partition.ts'

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

/** The durable version. @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION, METHOD_NOT_ALLOWED */
export async function readVersion(partition: Partition, named: NamedVersion): Promise<ObjectRecord> {
  partition.assertMine(named.bucket, named.key)
  await readBucket(partition, named.bucket)
  const object = await partition.read(objectKind, objectKey(named.bucket, named.key))
  return requireVersion(named, object)
}

/** The version for a decision, under its key's lock. @throws {MetadataError} as {@link readVersion} */
export async function viewVersion(partition: Partition, named: NamedVersion): Promise<FoundVersion> {
  await viewBucket(partition, named.bucket)
  const at = objectKey(named.bucket, named.key)
  return { at, object: requireVersion(named, await partition.view(objectKind, at)) }
}

function requireVersion({ key, versionId }: NamedVersion, object: ObjectRecord | undefined): ObjectRecord {
  if (versionId === '') {
    if (object === undefined) throw noSuchKey(key)
    return object
  }
  if (object === undefined || versionIdOf(object) !== versionId) {
    throw new MetadataError(FailureCode.NO_SUCH_VERSION, 'there is no such version')
  }
  return object
}
