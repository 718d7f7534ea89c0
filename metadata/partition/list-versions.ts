import { create } from '@bufbuild/protobuf'
import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import {
  objectKey,
  objectRange,
  readObjectKey,
  readVersionKey,
  versionKey,
  versionRange,
  versionsOfKey,
} from '../../core/keyspace/keys.ts'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { ENGINE_SCAN_ENTRIES_MAX, LIST_ENTRIES_MAX } from '../../core/limits.ts'
import { NULL_VERSION_ID, parseVersionId, versionIdOf } from '../../core/records/version-id.ts'
import {
  type ListVersionsReply,
  ListVersionsReplySchema,
  type ListVersionsRequest,
  ObjectSummarySchema,
  type VersionSummary,
  VersionSummarySchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { invalidRequest } from '../failure.ts'
import { readVersionLine, type VersionLine } from '../records.ts'
import { readBucket } from './bucket.ts'
import { readAny } from './find-version.ts'
import { firstPage, nextPage } from './grouped-listing.ts'
import { coverage } from './objects.ts'
import type { Partition } from './partition.ts'

/** Where a listing goes on, in both spaces that versions lie in. */
interface Cursor {
  readonly objects: Uint8Array
  readonly versions: Uint8Array
  /** After this version, among the versions of its key. */
  readonly within?: { readonly key: string; readonly order: bigint }
}

/** One version as it was scanned. */
interface Item {
  readonly key: string
  readonly value: Uint8Array
  /** It is its key's current object. */
  readonly current: boolean
}

/**
 * Every version and delete marker, in UTF-8 order of key and the newest first, as S3 lists them. What is the latest is
 * told from the same snapshot that shows it. Seeks past common prefixes, as {@link listObjects} does.
 *
 * A null version that has been replaced since the page that ended with it cannot be found again: then its key is listed
 * from its newest version on, for nothing may be passed over. (Not documented; S3's "null" is no position either.)
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
 * @throws {MetadataError} NO_SUCH_BUCKET, INVALID_REQUEST for a version id that is none
 */
export async function listVersions(
  partition: Partition,
  request: ListVersionsRequest,
): Promise<ListVersionsReply> {
  await readBucket(partition, request.bucket)
  const limit = Math.min(request.limit, LIST_ENTRIES_MAX)
  if (limit === 0) return create(ListVersionsReplySchema)
  return new VersionListing(partition, request, limit).run(await startOf(partition, request))
}

/** The first position after the markers, and not before `from`. */
async function startOf(partition: Partition, request: ListVersionsRequest): Promise<Cursor> {
  const { bucket, prefix, from } = request
  // A marker of a key that is before this partition would not be found here.
  const passed = request.keyMarker !== '' && compareUtf8(from, request.keyMarker) > 0
  const after = await afterMarkers(partition, passed ? { ...request, versionIdMarker: '' } : request)
  const least = compareUtf8(from, prefix) > 0 ? atKey(bucket, from) : atPrefix(bucket, prefix)
  return compareBytes(after.objects, least.objects) < 0 ? least : after
}

async function afterMarkers(partition: Partition, request: ListVersionsRequest): Promise<Cursor> {
  const { bucket, prefix, delimiter, keyMarker, versionIdMarker } = request
  if (keyMarker === '') {
    if (versionIdMarker !== '') throw invalidRequest('a version id marker needs a key marker')
    return atPrefix(bucket, prefix)
  }
  if (compareUtf8(keyMarker, prefix) < 0) return atPrefix(bucket, prefix)
  const rolledUp = keyMarker.startsWith(prefix) && commonPrefixOf(keyMarker, prefix, delimiter) === keyMarker
  if (rolledUp) return afterPrefix(bucket, keyMarker)
  if (versionIdMarker === '') return afterKey(bucket, keyMarker)
  if (versionIdMarker !== NULL_VERSION_ID) {
    const place = parseVersionId(versionIdMarker)
    if (place === undefined) throw invalidRequest('the version id marker is no version id')
    return afterVersion(bucket, keyMarker, place.order)
  }
  const found = await readAny(partition, { bucket, key: keyMarker, versionId: NULL_VERSION_ID })
  return found === undefined ? atKey(bucket, keyMarker) : afterVersion(bucket, keyMarker, found.order)
}

function atPrefix(bucket: string, prefix: string): Cursor {
  return { objects: objectRange(bucket, prefix).gte, versions: versionRange(bucket, prefix).gte }
}

function afterPrefix(bucket: string, prefix: string): Cursor {
  return { objects: objectRange(bucket, prefix).lt, versions: versionRange(bucket, prefix).lt }
}

function atKey(bucket: string, key: string): Cursor {
  return { objects: objectKey(bucket, key), versions: versionsOfKey(bucket, key).gte }
}

function afterKey(bucket: string, key: string): Cursor {
  return { objects: next(objectKey(bucket, key)), versions: versionsOfKey(bucket, key).lt }
}

function afterVersion(bucket: string, key: string, order: bigint): Cursor {
  // The current object may be an older version by now, if all that were newer have been removed.
  const versions = next(versionKey(bucket, key, order))
  return { objects: objectKey(bucket, key), versions, within: { key, order } }
}

class VersionListing {
  readonly #partition: Partition
  readonly #request: ListVersionsRequest
  readonly #limit: number
  readonly #bucketStart: Uint8Array
  readonly #versions: VersionSummary[] = []
  readonly #commonPrefixes: string[] = []
  #nextMarkers = { nextKeyMarker: '', nextVersionIdMarker: '' }

  constructor(partition: Partition, request: ListVersionsRequest, limit: number) {
    this.#partition = partition
    this.#request = request
    this.#limit = limit
    this.#bucketStart = objectKey(request.bucket, '')
  }

  get #listed(): number {
    return this.#versions.length + this.#commonPrefixes.length
  }

  async run(start: Cursor): Promise<ListVersionsReply> {
    let cursor: Cursor | undefined = start
    let page = firstPage(this.#request.delimiter)
    while (cursor !== undefined) {
      const wanted = Math.min(page, this.#limit - this.#listed + 1)
      const before = this.#listed
      const { items, exhausted, seen } = await this.#scan(cursor, wanted)
      const after = this.#take(items, cursor, seen)
      if (after === 'full') return this.#reply(true)
      cursor = exhausted ? undefined : after
      page = nextPage(page, items.length, this.#listed - before)
    }
    return this.#reply(false)
  }

  /**
   * Versions from the cursor on, in order and without a gap, out of one snapshot; and the key of which a newer version
   * than the first of them is there, if there is.
   */
  async #scan(
    { objects: objectStart, versions: versionStart, within }: Cursor,
    wanted: number,
  ): Promise<{ items: Item[]; exhausted: boolean; seen: string | undefined }> {
    const { bucket, prefix } = this.#request
    // One more where the first may be the object that the listing is past already.
    const objectLimit = Math.min(wanted + (within === undefined ? 0 : 1), ENGINE_SCAN_ENTRIES_MAX)
    const [objects = [], versions = [], newer = []] = await this.#partition.scanTogether([
      { gte: objectStart, lt: objectRange(bucket, prefix).lt, limit: objectLimit },
      { gte: versionStart, lt: versionRange(bucket, prefix).lt, limit: wanted },
      ...(within === undefined
        ? []
        : [{ gte: versionsOfKey(bucket, within.key).gte, lt: versionStart, limit: 1 }]),
    ])
    const current = objects.map(({ key, value }) => ({
      key: readObjectKey(key, this.#bucketStart),
      value,
      current: true,
    }))
    const others = versions.map(({ key, value }) => ({ key: readVersionKey(key), value, current: false }))
    // Beyond the end of a scan that was cut short, the other one must not be believed.
    const ends = [
      objects.length === objectLimit ? current.at(-1) : undefined,
      versions.length === wanted ? others.at(-1) : undefined,
    ].filter((end) => end !== undefined)
    const items = merge(current, others).filter((item) => ends.every((end) => compareItems(item, end) <= 0))
    return {
      items,
      exhausted: ends.length === 0,
      seen: newer.length > 0 ? within?.key : undefined,
    }
  }

  /** Lists items until the limit; tells where to go on. */
  #take(items: readonly Item[], start: Cursor, seen: string | undefined): Cursor | 'full' {
    const { bucket, prefix, delimiter } = this.#request
    let cursor = start
    let under: string | undefined
    let previous = seen
    for (const { key, value, current } of items) {
      if (under !== undefined && key.startsWith(under)) continue
      const latest = current || key !== previous
      previous = key
      under = commonPrefixOf(key, prefix, delimiter)
      const line = under === undefined ? readVersionLine(value) : undefined
      // Listed already: it is what the cursor stands behind.
      if (current && line !== undefined && isPassed(start, key, line)) continue
      if (this.#listed === this.#limit) return 'full'
      if (under !== undefined || line === undefined) {
        const commonPrefix = under ?? key
        this.#commonPrefixes.push(commonPrefix)
        this.#nextMarkers = { nextKeyMarker: commonPrefix, nextVersionIdMarker: '' }
        cursor = afterPrefix(bucket, commonPrefix)
      } else {
        this.#versions.push(summaryOf(key, line, latest))
        this.#nextMarkers = { nextKeyMarker: key, nextVersionIdMarker: versionIdOf(line) }
        cursor = afterVersion(bucket, key, line.order)
      }
    }
    return cursor
  }

  #reply(truncated: boolean): ListVersionsReply {
    return create(ListVersionsReplySchema, {
      versions: this.#versions,
      commonPrefixes: this.#commonPrefixes,
      truncated,
      ...(truncated ? this.#nextMarkers : {}),
      ...coverage(this.#partition, this.#request, truncated),
    })
  }
}

function isPassed({ within }: Cursor, key: string, line: VersionLine): boolean {
  return within?.key === key && line.order >= within.order
}

/** By key; the current object of a key is newer than all its other versions, which are in order already. */
function compareItems(left: Item, right: Item): number {
  return compareUtf8(left.key, right.key) || Number(right.current) - Number(left.current)
}

function merge(current: readonly Item[], others: readonly Item[]): Item[] {
  const merged: Item[] = []
  let index = 0
  for (const item of current) {
    for (let other = others[index]; other !== undefined; other = others[index]) {
      if (compareItems(other, item) > 0) break
      merged.push(other)
      index++
    }
    merged.push(item)
  }
  return [...merged, ...others.slice(index)]
}

function summaryOf(key: string, line: VersionLine, latest: boolean): VersionSummary {
  const { version: _version, order: _order, versioned: _versioned, deleteMarker, ...object } = line
  return create(VersionSummarySchema, {
    object: create(ObjectSummarySchema, { key, ...object }),
    versionId: versionIdOf(line),
    latest,
    deleteMarker,
  })
}
