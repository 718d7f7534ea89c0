import { create } from '@bufbuild/protobuf'
import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import { annotationKey, annotationRange } from '../../core/keyspace/keys.ts'
import { ANNOTATION_BYTES_MAX, ANNOTATION_NAME_BYTES_MAX, LIST_ENTRIES_MAX } from '../../core/limits.ts'
import {
  type DeleteAnnotationReply,
  DeleteAnnotationReplySchema,
  type DeleteAnnotationRequest,
  FailureCode,
  type GetAnnotationReply,
  GetAnnotationReplySchema,
  type GetAnnotationRequest,
  type ListAnnotationsReply,
  ListAnnotationsReplySchema,
  type ListAnnotationsRequest,
  type PutAnnotationReply,
  PutAnnotationReplySchema,
  type PutAnnotationRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type AnnotationRecord,
  AnnotationRecordSchema,
  GarbageTaskSchema,
  type ObjectRecord,
  ObjectRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { invalidRequest, required } from '../failure.ts'
import { annotationKind, decodeRecord, encodeRecord, objectKind } from '../records.ts'
import { type FoundVersion, type NamedVersion, readVersion, viewVersion } from './find-version.ts'
import { assertIdentifier, modifiedAt, repairTasks } from './objects.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/**
 * Annotations: named texts that belong to one version of an object, and go with it. They lie by the version's own name,
 * so that they need not move when the version stops being the current one; how many there are stands in its record.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-overview.html
 */

/** The annotation and its object. @throws {MetadataError} as {@link readVersion}, and NO_SUCH_ANNOTATION */
export async function getAnnotation(
  partition: Partition,
  request: GetAnnotationRequest,
): Promise<GetAnnotationReply> {
  const [object, annotation] = await ofOneVersion(partition, request, (version) =>
    partition.read(annotationKind, annotationKey(version, request.name)),
  )
  if (annotation === undefined) {
    throw new MetadataError(FailureCode.NO_SUCH_ANNOTATION, 'the object has no such annotation', {
      AnnotationName: request.name,
    })
  }
  return create(GetAnnotationReplySchema, { annotation, object })
}

/** In order of name, as UTF-8. One page is one snapshot. @throws {MetadataError} as {@link readVersion} */
export async function listAnnotations(
  partition: Partition,
  request: ListAnnotationsRequest,
): Promise<ListAnnotationsReply> {
  const limit = Math.min(request.limit, LIST_ENTRIES_MAX)
  const [object, entries] = await ofOneVersion(partition, request, (version) => {
    const { gte, lt } = annotationRange(version, request.prefix)
    const after = request.after === '' ? gte : next(annotationKey(version, request.after))
    const start = compareBytes(after, gte) < 0 ? gte : after
    return compareBytes(start, lt) < 0 ? partition.scan({ gte: start, lt, limit: limit + 1 }) : []
  })
  return create(ListAnnotationsReplySchema, {
    object,
    annotations: entries.slice(0, limit).map(({ value }) => decodeRecord(annotationKind, value)),
    truncated: limit > 0 && entries.length > limit,
  })
}

/**
 * Replaces the annotation of the name; the object's own time stays.
 * @throws {MetadataError} as {@link viewVersion}, and PRECONDITION_FAILED, CONDITIONAL_CONFLICT when the version is not the
 *   one that the shards were written for, TOO_MANY_ANNOTATIONS, STALE_BLOB
 */
export async function putAnnotation(
  partition: Partition,
  request: PutAnnotationRequest,
): Promise<PutAnnotationReply> {
  const { bucket, key, limitPerObject } = request
  const given = required(request.annotation, 'annotation')
  assertAnnotation(given)
  assertIdentifier(request.version, 'the version')
  const repairs = repairTasks(request.repairs)
  return partition.onKey(bucket, key, async () => {
    const version = await viewVersion(partition, request)
    const at = annotationKey(version.object, given.name)
    const current = await partition.view(annotationKind, at)
    // The same write again, since its answer was lost.
    if (current?.blob !== undefined && current.blob.id === given.blob?.id) {
      return create(PutAnnotationReplySchema, { annotation: current, object: version.object })
    }
    assertIfMatch(request.ifMatch, version.object)
    assertSameVersion(request.version, version.object)
    const { annotationCount } = version.object
    if (current === undefined && limitPerObject > 0 && annotationCount >= limitPerObject) {
      throw new MetadataError(
        FailureCode.TOO_MANY_ANNOTATIONS,
        `an object has at most ${limitPerObject} annotations`,
      )
    }
    partition.blobs.assertCommittable(given.blob)
    const { $typeName: _, ...fields } = given
    const annotation = create(AnnotationRecordSchema, {
      ...fields,
      lastModifiedMs: modifiedAt(partition, current),
    })
    const counted = current === undefined ? recounted(version, annotationCount + 1) : undefined
    partition.enqueue({
      puts: [
        { key: at, value: encodeRecord(annotationKind, annotation) },
        ...(counted === undefined ? [] : [counted.entry]),
      ],
      tasks: [...garbageOfAnnotation(request, current), ...repairs],
    })
    return create(PutAnnotationReplySchema, { annotation, object: counted?.object ?? version.object })
  })
}

/** No error where there is no such annotation. @throws {MetadataError} as {@link viewVersion}, and PRECONDITION_FAILED */
export async function deleteAnnotation(
  partition: Partition,
  request: DeleteAnnotationRequest,
): Promise<DeleteAnnotationReply> {
  const { bucket, key, name } = request
  return partition.onKey(bucket, key, async () => {
    const version = await viewVersion(partition, request)
    assertIfMatch(request.ifMatch, version.object)
    const at = annotationKey(version.object, name)
    const current = await partition.view(annotationKind, at)
    if (current === undefined) return create(DeleteAnnotationReplySchema, { object: version.object })
    const { entry, object } = recounted(version, version.object.annotationCount - 1)
    partition.enqueue({ deletes: [at], puts: [entry], tasks: garbageOfAnnotation(request, current) })
    return create(DeleteAnnotationReplySchema, { existed: true, object })
  })
}

/**
 * Reads what belongs to a version, and the version before and after: what was read in between is of that version, or it
 * is read again.
 */
async function ofOneVersion<T>(
  partition: Partition,
  named: NamedVersion,
  read: (version: ObjectRecord) => T | Promise<T>,
): Promise<[ObjectRecord, T]> {
  for (let version = await readVersion(partition, named); ;) {
    const found = await read(version)
    const after = await readVersion(partition, named)
    if (after.version === version.version) return [after, found]
    version = after
  }
}

/** The version's record with another count, and where it lies. */
function recounted({ at, object }: FoundVersion, annotationCount: number) {
  const { $typeName: _, ...fields } = object
  const changed = create(ObjectRecordSchema, { ...fields, annotationCount })
  const entry: EngineEntry = { key: at, value: encodeRecord(objectKind, changed) }
  return { entry, object: changed }
}

function garbageOfAnnotation(
  { bucket, key }: { readonly bucket: string; readonly key: string },
  replaced: AnnotationRecord | undefined,
): OutboxTask[] {
  if (replaced?.blob === undefined) return []
  return [{ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs: [replaced.blob] }) }]
}

/** @throws {MetadataError} INVALID_REQUEST */
function assertAnnotation({ name, size, blob }: AnnotationRecord): void {
  if (name === '' || Buffer.byteLength(name) > ANNOTATION_NAME_BYTES_MAX) {
    throw invalidRequest(`an annotation's name has 1 to ${ANNOTATION_NAME_BYTES_MAX} bytes`)
  }
  if (size < 1n || size > ANNOTATION_BYTES_MAX || blob?.size !== size) {
    throw invalidRequest(`an annotation is a blob of 1 to ${ANNOTATION_BYTES_MAX} bytes`)
  }
}

/** @throws {MetadataError} PRECONDITION_FAILED */
function assertIfMatch(ifMatch: string | undefined, { etag }: ObjectRecord): void {
  if (ifMatch === undefined || ifMatch === '*' || ifMatch === etag) return
  throw new MetadataError(FailureCode.PRECONDITION_FAILED, 'the object has another ETag', {
    Condition: 'x-amz-object-if-match',
  })
}

/** @throws {MetadataError} CONDITIONAL_CONFLICT */
function assertSameVersion(wanted: string, { version }: ObjectRecord): void {
  if (wanted === version) return
  throw new MetadataError(FailureCode.CONDITIONAL_CONFLICT, 'the object was replaced meanwhile')
}
