import { create } from '@bufbuild/protobuf'
import { successor } from '../../core/keyspace/bytes.ts'
import { manifestPageKey } from '../../core/keyspace/keys.ts'
import { LIST_ENTRIES_MAX, PART_NUMBER_MAX } from '../../core/limits.ts'
import {
  GarbageTaskSchema,
  type ManifestPage,
  type ObjectRecord,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { invalidRequest, noSuchKey } from '../failure.ts'
import { decodeRecord, manifestKind } from '../records.ts'
import type { OutboxTask } from './outbox.ts'
import type { Partition } from './partition.ts'

/** The blobs of a version that is replaced or removed. The caller holds the key's lock. */
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

/** Pages of a version's parts. @throws {MetadataError} NO_SUCH_KEY when one is not there, INVALID_REQUEST */
export async function readPages(
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
