import { create } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import {
  manifestPageKey,
  objectKey,
  partRange,
  type UploadPlace,
  uploadKey,
} from '../../core/keyspace/keys.ts'
import {
  ENGINE_SCAN_ENTRIES_MAX,
  LIST_ENTRIES_MAX,
  MANIFEST_PAGE_PARTS,
  PART_NUMBER_MAX,
} from '../../core/limits.ts'
import { type CompletionRefusal, planCompletion } from '../../core/records/completion.ts'
import { disturbedCondition } from '../../core/records/conditions.ts'
import {
  type CompleteUploadReply,
  CompleteUploadReplySchema,
  type CompleteUploadRequest,
  FailureCode,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  BucketVersioning,
  GarbageTaskSchema,
  ManifestPageSchema,
  type ObjectRecord,
  ObjectRecordSchema,
  type PartRecord,
  type UploadRecord,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { invalidRequest, noSuchUpload } from '../failure.ts'
import { decodeRecord, encodeRecord, manifestKind, objectKind, partKind, uploadKind } from '../records.ts'
import { readBucket } from './bucket.ts'
import { newestVersions } from './find-version.ts'
import { assertConditions, modifiedAt } from './objects.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'
import { purgeMarker, type Purger } from './purge.ts'
import { removedVersion, succeed } from './versions.ts'

/**
 * Makes an object of an upload's parts: its record, its manifest and the end of the upload in one batch. The version
 * of the object is the upload's id, which its shards carry already. So a repeat of the request, whose answer was lost,
 * finds the object it made and is answered the same, as S3 does, also when a newer version stands before it meanwhile.
 *
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_UPLOAD, NO_SUCH_KEY, PRECONDITION_FAILED, CONDITIONAL_CONFLICT,
 *   INVALID_PART with the field PartNumber, ENTITY_TOO_SMALL with PartNumber, ETag, ProposedSize and MinSizeAllowed
 */
export async function completeUpload(
  partition: Partition,
  purger: Purger,
  request: CompleteUploadRequest,
): Promise<CompleteUploadReply> {
  const { bucket, key, uploadId } = request
  if (request.parts.length > PART_NUMBER_MAX) {
    throw invalidRequest(`an upload has at most ${PART_NUMBER_MAX} parts`)
  }
  const reply = await partition.onKey(bucket, key, async () => {
    const { versioning } = await readBucket(partition, bucket)
    const at = objectKey(bucket, key)
    const current = await partition.view(objectKind, at)
    const upload = await partition.view(uploadKind, uploadKey(request))
    if (upload === undefined) {
      const made = await findCompleted(partition, versioning, request, current)
      if (made?.etag !== request.etag) throw noSuchUpload(uploadId)
      return create(CompleteUploadReplySchema, { object: made })
    }
    // Parts that were decided before this must be there to be found.
    await partition.settled()
    const plan = planCompletion(request.parts, await readParts(partition, request), {
      partBytesMin: request.partBytesMin,
      pageParts: MANIFEST_PAGE_PARTS,
    })
    if (plan.refused !== undefined) throw failureOf(plan, request.partBytesMin)
    assertConditions(request.conditions, current, key)
    assertUndisturbed(request, upload, current)
    const { order, versioned, puts, deletes, removed } = await succeed(
      partition,
      versioning,
      request,
      current,
    )
    const gone = await removedVersion(partition, removed)
    const object = create(ObjectRecordSchema, {
      bucket,
      key,
      version: uploadId,
      size: plan.size,
      etag: request.etag,
      lastModifiedMs: modifiedAt(partition, current),
      checksums: request.checksums,
      storageClass: upload.storageClass,
      owner: upload.owner,
      manifest: { partCount: request.parts.length, pageOffsets: [...plan.pageOffsets] },
      order,
      versioned,
      tags: upload.tags,
      ...(upload.headers === undefined ? {} : { headers: upload.headers }),
      ...(upload.acl === undefined ? {} : { acl: upload.acl }),
    })
    const pages = plan.pages.map((parts, page) => ({
      key: manifestPageKey(bucket, key, uploadId, page),
      value: encodeRecord(manifestKind, create(ManifestPageSchema, { parts: [...parts] })),
    }))
    partition.enqueue({
      puts: [
        { key: at, value: encodeRecord(objectKind, object) },
        ...puts,
        ...gone.puts,
        ...pages,
        purgeMarker(request, 'drop'),
      ],
      deletes: [uploadKey(request), ...deletes],
      tasks: [...gone.tasks, ...garbageOfParts(request, plan.unused)],
    })
    return create(CompleteUploadReplySchema, { object })
  })
  purger.wake()
  return reply
}

/** @throws {MetadataError} CONDITIONAL_CONFLICT with the fields Condition and Key */
function assertUndisturbed(
  { conditions, key }: CompleteUploadRequest,
  upload: UploadRecord,
  current: ObjectRecord | undefined,
): void {
  if (conditions === undefined) return
  const condition = disturbedCondition(conditions, upload.observedVersion, current?.version)
  if (condition === undefined) return
  throw new MetadataError(
    FailureCode.CONDITIONAL_CONFLICT,
    `the object that ${condition} speaks of was changed after the upload began`,
    { Condition: condition, Key: key },
  )
}

/** The object that an upload which is gone became. */
async function findCompleted(
  partition: Partition,
  versioning: BucketVersioning,
  { bucket, key, uploadId }: UploadPlace,
  current: ObjectRecord | undefined,
): Promise<ObjectRecord | undefined> {
  if (current?.version === uploadId) return current
  if (versioning === BucketVersioning.NEVER) return undefined
  const others = await newestVersions(partition, bucket, key, ENGINE_SCAN_ENTRIES_MAX)
  return others.find(({ object }) => object.version === uploadId)?.object
}

async function readParts(partition: Partition, place: UploadPlace): Promise<PartRecord[]> {
  const { lt, gte } = partRange(place)
  const parts: PartRecord[] = []
  let cursor = gte
  for (;;) {
    const entries = await partition.scan({ gte: cursor, lt, limit: LIST_ENTRIES_MAX })
    for (const { value } of entries) parts.push(decodeRecord(partKind, value))
    const last = entries.at(-1)
    if (last === undefined || entries.length < LIST_ENTRIES_MAX) return parts
    cursor = next(last.key)
  }
}

/** Tasks of the size of a manifest page. */
function garbageOfParts({ bucket, key }: UploadPlace, parts: readonly PartRecord[]): OutboxTask[] {
  const blobs = parts.flatMap((part) => part.blob ?? [])
  const tasks: OutboxTask[] = []
  for (let start = 0; start < blobs.length; start += MANIFEST_PAGE_PARTS) {
    const some = blobs.slice(start, start + MANIFEST_PAGE_PARTS)
    tasks.push({ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs: some }) })
  }
  return tasks
}

function failureOf(plan: CompletionRefusal, partBytesMin: bigint): MetadataError {
  switch (plan.refused) {
    case 'part-order':
      return invalidRequest('parts must be listed, each once, in ascending order')
    case 'invalid-part':
      return new MetadataError(
        FailureCode.INVALID_PART,
        `there is no part ${plan.partNumber} with this ETag and these checksums`,
        { PartNumber: String(plan.partNumber), ETag: plan.etag },
      )
    case 'too-small':
      return new MetadataError(FailureCode.ENTITY_TOO_SMALL, `part ${plan.partNumber} is too small`, {
        PartNumber: String(plan.partNumber),
        ETag: plan.etag,
        ProposedSize: String(plan.size),
        MinSizeAllowed: String(partBytesMin),
      })
  }
}
