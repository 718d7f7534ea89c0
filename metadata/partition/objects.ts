import { create } from '@bufbuild/protobuf'
import { compareBytes, next, successor } from '../../core/keyspace/bytes.ts'
import { manifestPageKey, objectKey, objectRange, readObjectKey } from '../../core/keyspace/keys.ts'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import {
  ERASURE_SHARDS_MAX,
  LIST_ENTRIES_MAX,
  OBJECT_KEY_BYTES_MAX,
  PART_NUMBER_MAX,
} from '../../core/limits.ts'
import { refusalOf } from '../../core/records/conditions.ts'
import {
  type CommitObjectReply,
  CommitObjectReplySchema,
  type CommitObjectRequest,
  type DeleteObjectReply,
  DeleteObjectReplySchema,
  type DeleteObjectRequest,
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
import {
  GarbageTaskSchema,
  type ManifestPage,
  type ObjectRecord,
  ObjectRecordSchema,
  type RepairTask,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { invalidRequest, noSuchKey, required } from '../failure.ts'
import { decodeRecord, encodeRecord, manifestKind, objectKind, readObjectLine } from '../records.ts'
import { readBucket, viewBucket } from './buckets.ts'
import { type Listed, listGrouped } from './grouped-listing.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

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

/** @throws {MetadataError} NO_SUCH_KEY, PRECONDITION_FAILED with the field Condition */
export function assertConditions(
  conditions: WriteConditions | undefined,
  current: ObjectRecord | undefined,
  key: string,
): void {
  if (conditions === undefined) return
  const refusal = refusalOf(conditions, current?.etag)
  if (refusal === undefined) return
  if (refusal.refused === 'no-such-key') throw noSuchKey(key)
  throw new MetadataError(
    FailureCode.PRECONDITION_FAILED,
    `the condition ${refusal.condition} does not hold`,
    {
      Condition: refusal.condition,
    },
  )
}

/** One task for each repair that a write owes. @throws {MetadataError} INVALID_REQUEST */
export function repairTasks(repairs: readonly RepairTask[]): OutboxTask[] {
  if (repairs.length > ERASURE_SHARDS_MAX) {
    throw invalidRequest('a write owes more repairs than it has shards')
  }
  return repairs.map((value) => ({ case: 'repair', value }))
}

/** What becomes garbage with an object that is replaced or deleted. The caller holds the key's lock. */
export async function garbageOf(
  partition: Partition,
  object: ObjectRecord | undefined,
): Promise<OutboxTask[]> {
  if (object === undefined) return []
  const { bucket, key, version, blob, manifest } = object
  if (manifest === undefined) {
    if (blob === undefined) return []
    return [{ case: 'garbage', value: create(GarbageTaskSchema, { bucket, key, blobs: [blob] }) }]
  }
  // The pages may be in the very batch that is on its way.
  await partition.settled()
  const pages = await readPages(partition, object, 0, manifest.pageOffsets.length)
  return pages.map(({ parts }, page) => ({
    case: 'garbage',
    value: create(GarbageTaskSchema, {
      bucket,
      key,
      blobs: parts.flatMap((part) => part.blob ?? []),
      manifestPage: { version, page },
    }),
  }))
}

/** Unix time for a record that replaces `previous`: never earlier, whatever the clock says. */
export function modifiedAt(
  partition: Partition,
  previous: { readonly lastModifiedMs: bigint } | undefined,
): bigint {
  const now = BigInt(partition.clock.nowMs())
  return previous !== undefined && previous.lastModifiedMs > now ? previous.lastModifiedMs : now
}

/** @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, PRECONDITION_FAILED */
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
    await viewBucket(partition, bucket)
    const at = objectKey(bucket, key)
    const current = await partition.view(objectKind, at)
    // The same write again, since its answer was lost.
    if (current?.version === version) return create(CommitObjectReplySchema, { object: current })
    assertConditions(request.conditions, current, key)
    const garbage = await garbageOf(partition, current)
    const { $typeName: _, ...fields } = given
    const object = create(ObjectRecordSchema, { ...fields, lastModifiedMs: modifiedAt(partition, current) })
    partition.enqueue({
      puts: [{ key: at, value: encodeRecord(objectKind, object) }],
      tasks: [...garbage, ...repairs],
    })
    return create(CommitObjectReplySchema, { object })
  })
}

/** @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY */
export async function getObject(
  partition: Partition,
  { bucket, key }: GetObjectRequest,
): Promise<GetObjectReply> {
  partition.assertMine(bucket, key)
  const object = await partition.read(objectKind, objectKey(bucket, key))
  const { versioning } = await readBucket(partition, bucket)
  if (object !== undefined) return create(GetObjectReplySchema, { object, versioning })
  throw noSuchKey(key)
}

/** @throws {MetadataError} NO_SUCH_BUCKET; NO_SUCH_KEY and PRECONDITION_FAILED only under conditions */
export async function deleteObject(
  partition: Partition,
  request: DeleteObjectRequest,
): Promise<DeleteObjectReply> {
  const { bucket, key } = request
  return partition.onKey(bucket, key, async () => {
    await viewBucket(partition, bucket)
    const at = objectKey(bucket, key)
    const current = await partition.view(objectKind, at)
    assertConditions(request.conditions, current, key)
    if (current !== undefined) {
      partition.enqueue({ deletes: [at], tasks: await garbageOf(partition, current) })
    }
    return create(DeleteObjectReplySchema, { existed: current !== undefined })
  })
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
    gte: startAfter(gte, request, objectKey(bucket, after)),
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
  })
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

async function readPages(
  partition: Partition,
  { bucket, key, version }: { bucket: string; key: string; version: string },
  first: number,
  count: number,
): Promise<ManifestPage[]> {
  if (count > PART_NUMBER_MAX) throw invalidRequest(`an object has no ${count} manifest pages`)
  if (count === 0) return []
  const gte = manifestPageKey(bucket, key, version, first)
  const lt = successor(manifestPageKey(bucket, key, version, first + count - 1))
  const entries = await partition.scan({ gte, lt, limit: Math.min(count, LIST_ENTRIES_MAX) })
  if (entries.length < count) throw noSuchKey(key)
  return entries.map(({ value }) => decodeRecord(manifestKind, value))
}
