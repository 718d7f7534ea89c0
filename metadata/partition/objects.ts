import { create } from '@bufbuild/protobuf'
import { compareBytes, next, successor } from '../../core/keyspace/bytes.ts'
import { objectKey, objectRange, readObjectKey } from '../../core/keyspace/keys.ts'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import { ERASURE_SHARDS_MAX, LIST_ENTRIES_MAX, OBJECT_KEY_BYTES_MAX } from '../../core/limits.ts'
import { type ConditionTarget, refusalOf } from '../../core/records/conditions.ts'
import { versionIdOf } from '../../core/records/version-id.ts'
import {
  type CommitObjectReply,
  CommitObjectReplySchema,
  type CommitObjectRequest,
  FailureCode,
  type GetManifestReply,
  GetManifestReplySchema,
  type GetManifestRequest,
  type GetObjectReply,
  GetObjectReplySchema,
  type GetObjectRequest,
  type ListObjectsReply,
  ListObjectsReplySchema,
  type ListObjectsRequest,
  ObjectSummarySchema,
  type WriteConditions,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { ObjectRecordSchema, type RepairTask } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { deletedKey, invalidRequest, noSuchKey, noSuchVersion, required } from '../failure.ts'
import { encodeRecord, objectKind, readObjectLine } from '../records.ts'
import { lookUpBucket, readBucket } from './bucket.ts'
import { readAny } from './find-version.ts'
import { readPages } from './garbage.ts'
import { type Listed, listGrouped } from './grouped-listing.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'
import { NOTHING_REMOVED, removedVersion, succeed } from './versions.ts'

const IDENTIFIER = /^[0-9a-f]{32}$/

/** @throws {MetadataError} INVALID_REQUEST */
export function assertIdentifier(value: string, name: string): void {
  if (!IDENTIFIER.test(value)) throw invalidRequest(`${name} is not 32 lower-case hex digits`)
}

/** @throws {MetadataError} INVALID_REQUEST */
export function assertKey(key: string): void {
  if (key === '' || Buffer.byteLength(key) > OBJECT_KEY_BYTES_MAX) {
    throw invalidRequest(`a key has 1 to ${OBJECT_KEY_BYTES_MAX} bytes`)
  }
}

/** @throws {MetadataError} NO_SUCH_KEY; PRECONDITION_FAILED and CONDITIONAL_CONFLICT with the field Condition */
export function assertConditions(
  conditions: WriteConditions | undefined,
  target: ConditionTarget | undefined,
  key: string,
): void {
  if (conditions === undefined) return
  const refusal = refusalOf(conditions, target)
  if (refusal === undefined) return
  if (refusal.refused === 'no-such-key') throw noSuchKey(key)
  const fields = { Condition: refusal.condition }
  throw refusal.refused === 'conflict'
    ? new MetadataError(
        FailureCode.CONDITIONAL_CONFLICT,
        `the object was deleted after the write with ${refusal.condition} began`,
        fields,
      )
    : new MetadataError(
        FailureCode.PRECONDITION_FAILED,
        `the condition ${refusal.condition} does not hold`,
        fields,
      )
}

/** One task for each repair that a write owes. @throws {MetadataError} INVALID_REQUEST */
export function repairTasks(repairs: readonly RepairTask[]): OutboxTask[] {
  if (repairs.length > ERASURE_SHARDS_MAX) {
    throw invalidRequest('a write owes more repairs than it has shards')
  }
  return repairs.map((value) => ({ case: 'repair', value }))
}

/** Unix time for a record that replaces `previous`: never earlier, whatever the clock says. */
export function modifiedAt(
  partition: Partition,
  previous: { readonly lastModifiedMs: bigint } | undefined,
): bigint {
  const now = BigInt(partition.clock.nowMs())
  return previous !== undefined && previous.lastModifiedMs > now ? previous.lastModifiedMs : now
}

/**
 * Makes an object the current version of its key. The same commit again, since its answer was lost, changes nothing as
 * long as the object is still current, or still the null version.
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, PRECONDITION_FAILED, CONDITIONAL_CONFLICT, STALE_BLOB
 */
export async function commitObject(
  partition: Partition,
  request: CommitObjectRequest,
): Promise<CommitObjectReply> {
  const given = required(request.object, 'object')
  const { bucket, key, version } = given
  assertKey(key)
  assertIdentifier(version, 'the version')
  if (given.manifest !== undefined) throw invalidRequest('only a completed upload makes a manifest')
  const repairs = repairTasks(request.repairs)
  return partition.onKey(bucket, key, async () => {
    const { versioning } = await readBucket(partition, bucket)
    const at = objectKey(bucket, key)
    const current = await partition.view(objectKind, at)
    if (current?.version === version) return create(CommitObjectReplySchema, { object: current })
    const { order, versioned, puts, deletes, removed } = await succeed(partition, versioning, given, current)
    if (removed?.version === version) return create(CommitObjectReplySchema, { object: removed })
    assertConditions(request.conditions, current, key)
    partition.blobs.assertCommittable(given.blob)
    const gone = removed === undefined ? NOTHING_REMOVED : await removedVersion(partition, removed)
    const { $typeName: _, ...fields } = given
    const object = create(ObjectRecordSchema, fields)
    object.lastModifiedMs = modifiedAt(partition, current)
    object.order = order
    object.versioned = versioned
    object.deleteMarker = false
    object.annotationCount = 0
    partition.enqueue({
      puts: [{ key: at, value: encodeRecord(objectKind, object) }, ...puts, ...gone.puts],
      deletes,
      tasks: [...gone.tasks, ...repairs],
    })
    return create(CommitObjectReplySchema, { object })
  })
}

/**
 * The current object, or the version named, be it an object or a delete marker.
 * @throws {MetadataError} NO_SUCH_BUCKET; NO_SUCH_KEY, with the fields DeleteMarker and VersionId where the current
 *   version is a delete marker; NO_SUCH_VERSION
 */
export async function getObject(partition: Partition, request: GetObjectRequest): Promise<GetObjectReply> {
  const { bucket, key, versionId } = request
  partition.assertMine(bucket, key)
  // Nearly every read is of the current object. It and its bucket are in memory as a rule: then nothing is waited for.
  const read = versionId === '' ? partition.lookUp(objectKind, objectKey(bucket, key)) : undefined
  const current = read instanceof Promise ? await read : read
  const object = current ?? (await readAny(partition, request))
  const found = lookUpBucket(partition, bucket)
  const { versioning } = found instanceof Promise ? await found : found
  if (object === undefined) throw versionId === '' ? noSuchKey(key) : noSuchVersion(key, versionId)
  if (object.deleteMarker && versionId === '') throw deletedKey(key, versionIdOf(object))
  return create(GetObjectReplySchema, { object, versioning })
}

/** In UTF-8 order of keys and common prefixes. @throws {MetadataError} NO_SUCH_BUCKET */
export async function listObjects(
  partition: Partition,
  request: ListObjectsRequest,
): Promise<ListObjectsReply> {
  const { bucket, prefix, delimiter, after } = request
  await readBucket(partition, bucket)
  const { gte, lt } = objectRange(bucket, prefix)
  const start = objectKey(bucket, '')
  const listed = await listGrouped({
    scan: (range) => partition.scan(range),
    keyOf: (entry) => readObjectKey(entry.key, start),
    after: (commonPrefix) => successor(objectKey(bucket, commonPrefix)),
    gte: latest(startAfter(gte, request, objectKey(bucket, after)), objectKey(bucket, request.from)),
    lt,
    prefix,
    delimiter,
    limit: Math.min(request.limit, LIST_ENTRIES_MAX),
  })
  return create(ListObjectsReplySchema, {
    objects: listed.entries.map(({ key, entry }) =>
      create(ObjectSummarySchema, { key, ...readObjectLine(entry.value) }),
    ),
    commonPrefixes: [...listed.commonPrefixes],
    truncated: listed.truncated,
    nextAfter: listed.truncated ? nameOf(listed.last) : '',
    ...coverage(partition, request, listed.truncated),
  })
}

/** How far a listing goes that is not truncated, where the partition ends before it does. */
export function coverage(
  partition: Partition,
  { bucket, prefix, limit }: { readonly bucket: string; readonly prefix: string; readonly limit: number },
  truncated: boolean,
): { coveredTo?: string } {
  const coveredTo = truncated || limit === 0 ? undefined : partition.coveredTo(bucket, prefix)
  return coveredTo === undefined ? {} : { coveredTo }
}

/** The later one of two keys of the engine. */
export function latest(one: Uint8Array, other: Uint8Array): Uint8Array {
  return compareBytes(one, other) < 0 ? other : one
}

function nameOf(last: Listed['last']): string {
  if (last === undefined) return ''
  return 'key' in last ? last.key : last.commonPrefix
}

/** The first engine key after `after`, or after all under it when it is a common prefix. */
function startAfter(
  gte: Uint8Array,
  { prefix, delimiter, after }: ListObjectsRequest,
  afterKey: Uint8Array,
): Uint8Array {
  if (after === '') return gte
  const rolledUp = after.startsWith(prefix) && commonPrefixOf(after, prefix, delimiter) === after
  const start = rolledUp ? successor(afterKey) : next(afterKey)
  return compareBytes(start, gte) < 0 ? gte : start
}

/**
 * Pages of a multipart object's parts. They outlive the object until its blobs are collected, so that a read which
 * began before can go on.
 * @throws {MetadataError} NO_SUCH_KEY when a page is not there
 */
export async function getManifest(
  partition: Partition,
  request: GetManifestRequest,
): Promise<GetManifestReply> {
  const { bucket, key, firstPage, pageCount } = request
  partition.assertMine(bucket, key)
  const pages = await readPages(partition, request, firstPage, pageCount)
  return create(GetManifestReplySchema, { pages })
}
