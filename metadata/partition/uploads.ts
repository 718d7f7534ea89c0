import { create } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import {
  objectKey,
  partKey,
  partRange,
  readUploadKey,
  type UploadPlace,
  uploadKey,
  uploadRange,
  uploadsToKey,
} from '../../core/keyspace/keys.ts'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import { LIST_ENTRIES_MAX, PART_NUMBER_MAX } from '../../core/limits.ts'
import {
  type AbortUploadReply,
  AbortUploadReplySchema,
  type AbortUploadRequest,
  type CommitPartReply,
  CommitPartReplySchema,
  type CommitPartRequest,
  type CreateUploadReply,
  CreateUploadReplySchema,
  type CreateUploadRequest,
  type GetUploadReply,
  GetUploadReplySchema,
  type GetUploadRequest,
  type ListPartsReply,
  ListPartsReplySchema,
  type ListPartsRequest,
  type ListUploadsReply,
  ListUploadsReplySchema,
  type ListUploadsRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  GarbageTaskSchema,
  PartRecordSchema,
  type UploadRecord,
  UploadRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { invalidRequest, noSuchUpload, required } from '../failure.ts'
import { decodeRecord, encodeRecord, objectKind, partKind, uploadKind } from '../records.ts'
import { readBucket } from './bucket.ts'
import { listGrouped } from './grouped-listing.ts'
import { assertIdentifier, assertKey, coverage, latest, modifiedAt, repairTasks } from './objects.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'
import { purgeMarker, type Purger } from './purge.ts'

/** The upload as a decision must see it, under its key's lock. @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
async function viewUpload(partition: Partition, place: UploadPlace): Promise<UploadRecord> {
  await readBucket(partition, place.bucket)
  const upload = await partition.view(uploadKind, uploadKey(place))
  if (upload === undefined) throw noSuchUpload(place.uploadId)
  return upload
}

async function readUpload(partition: Partition, place: UploadPlace): Promise<UploadRecord> {
  partition.assertMine(place.bucket, place.key)
  await readBucket(partition, place.bucket)
  const upload = await partition.read(uploadKind, uploadKey(place))
  if (upload === undefined) throw noSuchUpload(place.uploadId)
  return upload
}

/** @throws {MetadataError} NO_SUCH_BUCKET */
export async function createUpload(
  partition: Partition,
  request: CreateUploadRequest,
): Promise<CreateUploadReply> {
  const given = required(request.upload, 'upload')
  const { bucket, key, uploadId } = given
  assertKey(key)
  assertIdentifier(uploadId, 'the upload id')
  return partition.onKey(bucket, key, async () => {
    await readBucket(partition, bucket)
    const at = uploadKey(given)
    const existing = await partition.view(uploadKind, at)
    // The same request again, since its answer was lost.
    if (existing !== undefined) return create(CreateUploadReplySchema, { upload: existing })
    const { $typeName: _, ...fields } = given
    const current = await partition.view(objectKind, objectKey(bucket, key))
    const upload = create(UploadRecordSchema, {
      ...fields,
      initiatedMs: BigInt(partition.clock.nowMs()),
      observedVersion: current?.version ?? '',
    })
    partition.enqueue({ puts: [{ key: at, value: encodeRecord(uploadKind, upload) }] })
    return create(CreateUploadReplySchema, { upload })
  })
}

/** @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
export async function getUpload(partition: Partition, request: GetUploadRequest): Promise<GetUploadReply> {
  return create(GetUploadReplySchema, { upload: await readUpload(partition, request) })
}

/** A part committed again replaces the one before. @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD, STALE_BLOB */
export async function commitPart(partition: Partition, request: CommitPartRequest): Promise<CommitPartReply> {
  const { bucket, key } = request
  const given = required(request.part, 'part')
  if (given.partNumber < 1 || given.partNumber > PART_NUMBER_MAX) {
    throw invalidRequest(`part numbers are 1 to ${PART_NUMBER_MAX}`)
  }
  const repairs = repairTasks(request.repairs)
  return partition.onKey(bucket, key, async () => {
    await viewUpload(partition, request)
    const at = partKey(request, given.partNumber)
    const current = await partition.view(partKind, at)
    const { $typeName: _, ...fields } = given
    const part = create(PartRecordSchema, { ...fields, lastModifiedMs: modifiedAt(partition, current) })
    const replaced = current?.blob
    // The same part again, since its answer was lost, must not make its own bytes garbage, however old they are.
    const same = replaced !== undefined && replaced.id === given.blob?.id
    if (!same) partition.blobs.assertCommittable(given.blob)
    const garbage: OutboxTask[] =
      replaced === undefined || same
        ? []
        : [{ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs: [replaced] }) }]
    partition.enqueue({
      puts: [{ key: at, value: encodeRecord(partKind, part) }],
      tasks: [...garbage, ...repairs],
    })
    return create(CommitPartReplySchema, { part })
  })
}

/** In order of part number. @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
export async function listParts(partition: Partition, request: ListPartsRequest): Promise<ListPartsReply> {
  const upload = await readUpload(partition, request)
  const limit = Math.min(request.limit, LIST_ENTRIES_MAX)
  if (limit === 0 || request.after >= PART_NUMBER_MAX) return create(ListPartsReplySchema, { upload })
  const entries = await partition.scan({
    gte: partKey(request, request.after + 1),
    lt: partRange(request).lt,
    limit: limit + 1,
  })
  return create(ListPartsReplySchema, {
    upload,
    parts: entries.slice(0, limit).map(({ value }) => decodeRecord(partKind, value)),
    truncated: entries.length > limit,
  })
}

/** The parts become garbage in the background. @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD */
export async function abortUpload(
  partition: Partition,
  purger: Purger,
  request: AbortUploadRequest,
): Promise<AbortUploadReply> {
  await partition.onKey(request.bucket, request.key, async () => {
    await viewUpload(partition, request)
    partition.enqueue({ deletes: [uploadKey(request)], puts: [purgeMarker(request, 'discard')] })
  })
  purger.wake()
  return create(AbortUploadReplySchema)
}

/**
 * In UTF-8 order of key, then by upload id, which is the order in which they began.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function listUploads(
  partition: Partition,
  request: ListUploadsRequest,
): Promise<ListUploadsReply> {
  const { bucket, prefix, delimiter } = request
  await readBucket(partition, bucket)
  const { gte, lt } = uploadRange(bucket, prefix)
  const start = startAfterMarkers(request)
  const listed = await listGrouped({
    scan: (range) => partition.scan(range),
    keyOf: (entry) => readUploadKey(entry.key).key,
    after: (commonPrefix) => uploadRange(bucket, commonPrefix).lt,
    gte: [start, uploadRange(bucket, request.from).gte].reduce<Uint8Array>(
      (first, one) => (one === undefined ? first : latest(first, one)),
      gte,
    ),
    lt,
    prefix,
    delimiter,
    limit: Math.min(request.limit, LIST_ENTRIES_MAX),
  })
  const uploads = listed.entries.map(({ entry }) => decodeRecord(uploadKind, entry.value))
  const markers = { nextKeyMarker: '', nextUploadIdMarker: '' }
  if (listed.truncated && listed.last !== undefined) {
    if ('key' in listed.last) {
      markers.nextKeyMarker = listed.last.key
      markers.nextUploadIdMarker = uploads.at(-1)?.uploadId ?? ''
    } else markers.nextKeyMarker = listed.last.commonPrefix
  }
  return create(ListUploadsReplySchema, {
    uploads,
    commonPrefixes: [...listed.commonPrefixes],
    truncated: listed.truncated,
    ...markers,
    ...coverage(partition, request, listed.truncated),
  })
}

/** The first engine key after the markers; an upload id marker without a key marker means nothing. */
function startAfterMarkers(request: ListUploadsRequest): Uint8Array | undefined {
  const { bucket, prefix, delimiter, keyMarker, uploadIdMarker } = request
  if (keyMarker === '') return undefined
  if (uploadIdMarker !== '') return next(uploadKey({ bucket, key: keyMarker, uploadId: uploadIdMarker }))
  const rolledUp = keyMarker.startsWith(prefix) && commonPrefixOf(keyMarker, prefix, delimiter) === keyMarker
  return rolledUp ? uploadRange(bucket, keyMarker).lt : uploadsToKey(bucket, keyMarker).lt
}
