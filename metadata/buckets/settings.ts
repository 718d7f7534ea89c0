import { create } from '@bufbuild/protobuf'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { bucketKey } from '../../core/keyspace/keys.ts'
import {
  type DeleteBucketSettingReply,
  DeleteBucketSettingReplySchema,
  type DeleteBucketSettingRequest,
  type GetBucketSettingReply,
  GetBucketSettingReplySchema,
  type GetBucketSettingRequest,
  type PutBucketSettingReply,
  PutBucketSettingReplySchema,
  type PutBucketSettingRequest,
  type UpdateBucketReply,
  UpdateBucketReplySchema,
  type UpdateBucketRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketRecordSchema, BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { invalidRequest, required } from '../failure.ts'
import { bucketKind, encodeRecord, settingKind } from '../records.ts'
import { type BucketContents, durableBucket, viewBucket } from './buckets.ts'
import type { Partition } from '../partition/partition.ts'
import { settingEntry, settingKey } from './setting-records.ts'

/**
 * Changes what is given, and leaves the rest.
 * @throws {MetadataError} NO_SUCH_BUCKET; INVALID_REQUEST for a bucket that had versions and is to have none
 */
export async function updateBucket(
  partition: Partition,
  contents: BucketContents,
  { name, versioning, objectOwnership }: UpdateBucketRequest,
): Promise<UpdateBucketReply> {
  return partition.onBucket(name, async () => {
    const current = await viewBucket(partition, name)
    const { $typeName: _, ...fields } = current
    const bucket = create(BucketRecordSchema, {
      ...fields,
      versioning: versioning ?? current.versioning,
      objectOwnership: objectOwnership ?? current.objectOwnership,
    })
    if (bucket.versioning === BucketVersioning.NEVER && current.versioning !== BucketVersioning.NEVER) {
      throw invalidRequest('versioning can be suspended, and never undone')
    }
    await contents.recall(name)
    // Whoever has seen the new record must not see a write become durable that was decided by the old one.
    await contents.settle(name)
    partition.enqueue({ puts: [{ key: bucketKey(name), value: encodeRecord(bucketKind, bucket) }] })
    return create(UpdateBucketReplySchema, { bucket })
  })
}

/** @throws {MetadataError} NO_SUCH_BUCKET, INVALID_REQUEST */
export async function putBucketSetting(
  partition: Partition,
  request: PutBucketSettingRequest,
): Promise<PutBucketSettingReply> {
  const { name } = request
  const entry = settingEntry(name, required(request.setting, 'setting'))
  return partition.onBucket(name, async () => {
    await viewBucket(partition, name)
    partition.enqueue({ puts: [entry] })
    return create(PutBucketSettingReplySchema)
  })
}

/**
 * The bucket and those of the settings that it has, all of the same bucket, however often the name was given to another
 * meanwhile.
 * @throws {MetadataError} NO_SUCH_BUCKET, INVALID_REQUEST
 */
export async function getBucketSetting(
  partition: Partition,
  { name, kinds }: GetBucketSettingRequest,
): Promise<GetBucketSettingReply> {
  if (kinds.length === 0) {
    return create(GetBucketSettingReplySchema, { bucket: await durableBucket(partition, name) })
  }
  const keys = [...new Set(kinds)].map((kind) => settingKey(name, kind))
  for (let bucket = await durableBucket(partition, name); ;) {
    const settings = await Promise.all(keys.map((key) => partition.read(settingKind, key)))
    const after = await durableBucket(partition, name)
    if (compareBytes(bucket.incarnation, after.incarnation) === 0) {
      return create(GetBucketSettingReplySchema, {
        bucket: after,
        settings: settings.filter((setting) => setting !== undefined),
      })
    }
    bucket = after
  }
}

/** @throws {MetadataError} NO_SUCH_BUCKET, INVALID_REQUEST */
export async function deleteBucketSetting(
  partition: Partition,
  { name, kind }: DeleteBucketSettingRequest,
): Promise<DeleteBucketSettingReply> {
  const key = settingKey(name, kind)
  return partition.onBucket(name, async () => {
    await viewBucket(partition, name)
    const existed = (await partition.viewBytes(key)) !== undefined
    if (existed) partition.enqueue({ deletes: [key] })
    return create(DeleteBucketSettingReplySchema, { existed })
  })
}
