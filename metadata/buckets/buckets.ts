import { create } from '@bufbuild/protobuf'
import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import {
  bucketKey,
  bucketRange,
  ownedBucketKey,
  ownedBucketRange,
  readOwnedBucketKey,
} from '../../core/keyspace/keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX, LIST_ENTRIES_MAX } from '../../core/limits.ts'
import {
  type CreateBucketReply,
  CreateBucketReplySchema,
  type CreateBucketRequest,
  type DeleteBucketReply,
  DeleteBucketReplySchema,
  type DeleteBucketRequest,
  FailureCode,
  type GetBucketReply,
  GetBucketReplySchema,
  type GetBucketRequest,
  type ListBucketsReply,
  ListBucketsReplySchema,
  type ListBucketsRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type BucketRecord, BucketRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { invalidRequest, noSuchBucket, required } from '../failure.ts'
import { bucketKind, decodeRecord, encodeRecord } from '../records.ts'
import type { Partition } from '../partition/partition.ts'
import { firstSettings, settingKeys } from './setting-records.ts'

const INCARNATION_BYTES = 16

/** What lies in buckets, and who goes by their records: the partitions, in this process and in others. */
export interface BucketContents {
  /**
   * Calls back all copies of the bucket's record; none is given out while the bucket is locked.
   * @throws {MetadataError} UNAVAILABLE
   */
  recall(name: string): Promise<void>
  /**
   * Whether there is any object, version or delete marker, by all that was decided. If there is none, uploads in progress are marked
   * to be aborted once the bucket is gone. The bucket is locked, and copies are called back.
   * @throws {MetadataError} UNAVAILABLE
   */
  isEmpty(name: string): Promise<boolean>
  /**
   * Resolves when all that was decided by the bucket's record as it was is durable. The bucket is locked, and copies are called back.
   * @throws {MetadataError} UNAVAILABLE
   */
  settle(name: string): Promise<void>
  /** Aborts the uploads that a bucket of the name has left. @throws {MetadataError} UNAVAILABLE */
  abortUploads(name: string): Promise<void>
}

/** The bucket, or NO_SUCH_BUCKET. For decisions, under the bucket's lock. */
export async function viewBucket(partition: Partition, name: string): Promise<BucketRecord> {
  const bucket = await partition.view(bucketKind, bucketKey(name))
  if (bucket === undefined) throw noSuchBucket(name)
  return bucket
}

/** The durable bucket, or NO_SUCH_BUCKET. */
export async function durableBucket(partition: Partition, name: string): Promise<BucketRecord> {
  const bucket = await partition.read(bucketKind, bucketKey(name))
  if (bucket === undefined) throw noSuchBucket(name)
  return bucket
}

/**
 * The record gives name, owner, region, versioning and object ownership; the settings come into being with it.
 * @throws {MetadataError} BUCKET_ALREADY_OWNED_BY_YOU, BUCKET_ALREADY_EXISTS, TOO_MANY_BUCKETS
 */
export async function createBucket(
  partition: Partition,
  contents: BucketContents,
  random: Random,
  request: CreateBucketRequest,
): Promise<CreateBucketReply> {
  const { name, owner, region, versioning, objectOwnership } = required(request.bucket, 'bucket')
  if (name === '') throw invalidRequest('a bucket needs a name')
  const settings = firstSettings(name, request.settings)
  return partition.onBucket(name, () =>
    // Buckets of one owner are created one after the other, so that each sees how many there are.
    partition.onName(`buckets of ${owner}`, async () => {
      const existing = await partition.view(bucketKind, bucketKey(name))
      if (existing !== undefined) throw alreadyExists(existing, owner)
      await partition.settled()
      if (request.limitPerOwner > 0 && (await ownsAtLeast(partition, owner, request.limitPerOwner))) {
        throw new MetadataError(
          FailureCode.TOO_MANY_BUCKETS,
          `an account has at most ${request.limitPerOwner} buckets`,
        )
      }
      // Uploads left over from a bucket of this name must not show up in the new one.
      await contents.abortUploads(name)
      const bucket = create(BucketRecordSchema, {
        name,
        owner,
        region,
        versioning,
        objectOwnership,
        createdMs: BigInt(partition.clock.nowMs()),
        incarnation: random.bytes(INCARNATION_BYTES),
      })
      partition.enqueue({
        puts: [
          { key: bucketKey(name), value: encodeRecord(bucketKind, bucket) },
          { key: ownedBucketKey(owner, name), value: new Uint8Array() },
          ...settings,
        ],
      })
      return create(CreateBucketReplySchema, { bucket })
    }),
  )
}

export async function getBucket(partition: Partition, { name }: GetBucketRequest): Promise<GetBucketReply> {
  return create(GetBucketReplySchema, { bucket: await durableBucket(partition, name) })
}

/**
 * Only objects, in all their versions, and delete markers keep a bucket from being deleted; uploads in progress are aborted with it, as S3 does for general
 * purpose buckets (only directory buckets refuse).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
 * @throws {MetadataError} NO_SUCH_BUCKET, BUCKET_NOT_EMPTY
 */
export async function deleteBucket(
  partition: Partition,
  contents: BucketContents,
  { name }: DeleteBucketRequest,
): Promise<DeleteBucketReply> {
  return partition.onBucket(name, async () => {
    const bucket = await viewBucket(partition, name)
    await contents.recall(name)
    if (!(await contents.isEmpty(name))) {
      throw new MetadataError(FailureCode.BUCKET_NOT_EMPTY, `the bucket ${name} is not empty`, {
        BucketName: name,
      })
    }
    partition.enqueue({
      // The settings go in the same batch: a later bucket of this name must never have one of them.
      deletes: [bucketKey(name), ownedBucketKey(bucket.owner, name), ...(await settingKeys(partition, name))],
    })
    return create(DeleteBucketReplySchema)
  })
}

/** In order of name: of one owner by the index of owners, of all by the buckets' own records. */
export async function listBuckets(
  partition: Partition,
  { owner, prefix, after, region, everyOwner, limit: wanted }: ListBucketsRequest,
): Promise<ListBucketsReply> {
  const limit = Math.min(wanted, LIST_ENTRIES_MAX)
  if (limit === 0) return create(ListBucketsReplySchema)
  const keyOf = (name: string) => (everyOwner ? bucketKey(name) : ownedBucketKey(owner, name))
  const { gte, lt } = everyOwner ? bucketRange(prefix) : ownedBucketRange(owner, prefix)
  const start = after === '' ? gte : next(keyOf(after))
  let cursor = compareBytes(start, gte) < 0 ? gte : start
  const buckets: BucketRecord[] = []
  while (compareBytes(cursor, lt) < 0) {
    const entries = await partition.scan({ gte: cursor, lt, limit: LIST_ENTRIES_MAX })
    const found = everyOwner
      ? entries.map(({ value }) => decodeRecord(bucketKind, value))
      : await Promise.all(
          entries.map(({ key }) => partition.read(bucketKind, bucketKey(readOwnedBucketKey(key).name))),
        )
    for (const bucket of found) {
      // Deleted since the scan, or of another region.
      if (bucket === undefined || (region !== '' && bucket.region !== region)) continue
      if (buckets.length === limit) return create(ListBucketsReplySchema, { buckets, truncated: true })
      buckets.push(bucket)
    }
    const last = entries.at(-1)
    if (last === undefined || entries.length < LIST_ENTRIES_MAX) break
    cursor = next(last.key)
  }
  return create(ListBucketsReplySchema, { buckets })
}

function alreadyExists(existing: BucketRecord, owner: string): MetadataError {
  const fields = { BucketName: existing.name }
  return existing.owner === owner
    ? new MetadataError(
        FailureCode.BUCKET_ALREADY_OWNED_BY_YOU,
        `you already own the bucket ${existing.name}`,
        fields,
      )
    : new MetadataError(
        FailureCode.BUCKET_ALREADY_EXISTS,
        `the bucket ${existing.name} already exists`,
        fields,
      )
}

async function ownsAtLeast(partition: Partition, owner: string, count: number): Promise<boolean> {
  const { gte, lt } = ownedBucketRange(owner, '')
  let cursor = gte
  let left = count
  while (left > 0) {
    const limit = Math.min(left, ENGINE_SCAN_ENTRIES_MAX)
    const entries = await partition.scan({ gte: cursor, lt, limit })
    left -= entries.length
    const last = entries.at(-1)
    if (last === undefined || entries.length < limit) break
    cursor = next(last.key)
  }
  return left === 0
}
