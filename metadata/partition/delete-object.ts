import { create } from '@bufbuild/protobuf'
import { objectKey } from '../../core/keyspace/keys.ts'
import { formatVersionId, versionIdOf } from '../../core/records/version-id.ts'
import {
  type DeleteObjectReply,
  DeleteObjectReplySchema,
  type DeleteObjectRequest,
  type WriteConditions,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BucketRecord,
  BucketVersioning,
  type ObjectRecord,
  ObjectRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { noSuchVersion } from '../failure.ts'
import { encodeRecord, objectKind } from '../records.ts'
import type { Room } from '../room.ts'
import { readBucket } from './bucket.ts'
import { newestVersions, viewAny } from './find-version.ts'
import { assertConditions, assertIdentifier, modifiedAt } from './objects.ts'
import type { Partition } from './partition.ts'
import { removedVersion, removeVersion, succeed, versionEntries } from './versions.ts'

/**
 * Deletes as S3 does: one version for good where a version id is given; else the object, for which a delete marker takes
 * its place if the bucket has, or had, versions, whether there was an object or not.
 *
 * Conditions are held against what is deleted: "Conditional delete evaluations only apply to the current version of the
 * object". Of a version id with conditions S3's documents say no more than that; chosen: they are held against the
 * version named, which is the same wherever that is the current one, and never deletes what the client did not mean.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectsfromVersioningSuspendedBuckets.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
 * @throws {MetadataError} NO_SUCH_BUCKET; under conditions NO_SUCH_KEY, NO_SUCH_VERSION and PRECONDITION_FAILED;
 *   READ_ONLY for a delete marker that a disk may have no room for
 */
export async function deleteObject(
  partition: Partition,
  room: Room | undefined,
  request: DeleteObjectRequest,
): Promise<DeleteObjectReply> {
  return partition.onKey(request.bucket, request.key, async () => {
    const bucket = await readBucket(partition, request.bucket)
    const current = await partition.view(objectKind, objectKey(request.bucket, request.key))
    if (request.versionId !== '') return deleteVersion(partition, bucket, request, current)
    await assertDeletable(partition, bucket, request, current)
    if (bucket.versioning === BucketVersioning.NEVER) return deletePlainly(partition, request, current)
    await room?.requireMore()
    return markDeleted(partition, bucket, request, current)
  })
}

async function deletePlainly(
  partition: Partition,
  { bucket, key }: DeleteObjectRequest,
  current: ObjectRecord | undefined,
): Promise<DeleteObjectReply> {
  if (current === undefined) return create(DeleteObjectReplySchema)
  const removed = await removedVersion(partition, current)
  partition.enqueue({ ...removed, deletes: [objectKey(bucket, key)] })
  return create(DeleteObjectReplySchema, { existed: true })
}

/** Puts a delete marker on top of the key's versions. */
async function markDeleted(
  partition: Partition,
  { versioning }: BucketRecord,
  request: DeleteObjectRequest,
  current: ObjectRecord | undefined,
): Promise<DeleteObjectReply> {
  const { bucket, key, markerVersion, owner } = request
  assertIdentifier(markerVersion, 'the version of the delete marker')
  const { order, versioned, puts, deletes, removed } = await succeed(partition, versioning, request, current)
  const gone = await removedVersion(partition, removed)
  const marker = create(ObjectRecordSchema, {
    bucket,
    key,
    version: markerVersion,
    lastModifiedMs: modifiedAt(partition, current),
    owner,
    order,
    versioned,
    deleteMarker: true,
  })
  partition.enqueue({
    // The marker's pointer, if it is the null version, comes last: it stands in the place of the one before.
    puts: [...puts, ...gone.puts, ...versionEntries(marker, encodeRecord(objectKind, marker))],
    deletes: current === undefined ? deletes : [...deletes, objectKey(bucket, key)],
    tasks: gone.tasks,
  })
  return create(DeleteObjectReplySchema, {
    existed: current !== undefined,
    deleteMarker: true,
    versionId: versioned ? formatVersionId(marker) : versionIdOf(marker),
  })
}

/** A version that is not there is deleted already: S3 answers 204. */
async function deleteVersion(
  partition: Partition,
  { versioning }: BucketRecord,
  request: DeleteObjectRequest,
  current: ObjectRecord | undefined,
): Promise<DeleteObjectReply> {
  const versionId = versioning === BucketVersioning.NEVER ? '' : request.versionId
  const found = await viewAny(partition, versioning, request)
  if (found === undefined) {
    if (isConditional(request.conditions) && request.conditions.ifMatch.length > 0) {
      throw noSuchVersion(request.key, request.versionId)
    }
    return create(DeleteObjectReplySchema, { versionId })
  }
  assertConditions(request.conditions, found.object, request.key)
  partition.enqueue(await removeVersion(partition, versioning, found, current))
  return create(DeleteObjectReplySchema, {
    existed: true,
    deleteMarker: found.object.deleteMarker,
    versionId,
  })
}

async function assertDeletable(
  partition: Partition,
  { versioning }: BucketRecord,
  { bucket, key, conditions }: DeleteObjectRequest,
  current: ObjectRecord | undefined,
): Promise<void> {
  if (!isConditional(conditions)) return
  let target = current
  // A delete marker answers otherwise than nothing does; whether there is one is looked up only here.
  if (target === undefined && versioning !== BucketVersioning.NEVER) {
    target = (await newestVersions(partition, bucket, key, 1))[0]?.object
  }
  assertConditions(conditions, target, key)
}

function isConditional(conditions: WriteConditions | undefined): conditions is WriteConditions {
  if (conditions === undefined) return false
  const { ifMatch, ifNoneMatchAny, ifMatchSize, ifMatchLastModifiedMs } = conditions
  return (
    ifMatch.length > 0 || ifNoneMatchAny || ifMatchSize !== undefined || ifMatchLastModifiedMs !== undefined
  )
}
