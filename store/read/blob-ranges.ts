/** Which blobs hold a range of an object: the one of a single PUT, or those of the parts, page by page. */

import type { ManifestPage, ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { StoreError, type ByteRange } from '../api.ts'
import { blobOf, type Blob } from './blob-location.ts'

/** What is read: an object, or what else is a blob and belongs to one. */
export interface StoredContent extends Pick<
  ObjectRecord,
  'bucket' | 'key' | 'version' | 'size' | 'blob' | 'manifest'
> {
  /** Name of the annotation that it is; absent: the object itself. */
  readonly annotation?: string
  /** Of one part alone; absent: not that. */
  readonly part?: number
}

/** Bytes `[start, end)` of a blob, not empty. */
export interface BlobRange {
  readonly blob: Blob
  readonly start: number
  readonly end: number
}

/**
 * The blob ranges that together are the range of the object, in order. Pages of the manifest are asked for when they are
 * reached, and only those that the range touches.
 *
 * @throws {RangeError} unless 0 <= start <= end <= size
 * @throws {StoreError} `unreadable` when record and pages contradict each other
 */
export async function* blobRanges(
  metadata: MetadataApi,
  record: StoredContent,
  { start, end }: ByteRange,
): AsyncGenerator<BlobRange, void, undefined> {
  const size = Number(record.size)
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > size) {
    throw new RangeError(`no range [${start}, ${end}) in an object of ${size} bytes`)
  }
  if (start === end) return
  if (record.manifest === undefined) {
    if (record.blob === undefined || Number(record.blob.size) !== size) {
      throw contradiction(record, 'its blob is not of its size')
    }
    yield { blob: blobOf(record.blob, record, record.part ?? 0), start, end }
    return
  }
  const offsets = record.manifest.pageOffsets.map(Number)
  for (const [page, pageStart] of offsets.entries()) {
    const pageEnd = offsets[page + 1] ?? size
    if (pageEnd <= start || pageStart >= end) continue
    const { parts } = await fetchPage(metadata, record, page)
    yield* partRanges(record, parts, pageStart, pageEnd, { start, end })
  }
}

function* partRanges(
  record: StoredContent,
  parts: readonly PartRecord[],
  pageStart: number,
  pageEnd: number,
  { start, end }: ByteRange,
): Generator<BlobRange, void, undefined> {
  let offset = pageStart
  for (const part of parts) {
    const size = Number(part.size)
    const from = Math.max(start, offset)
    const to = Math.min(end, offset + size)
    if (from < to) {
      if (part.blob === undefined || Number(part.blob.size) !== size) {
        throw contradiction(record, `the blob of part ${part.partNumber} is not of its size`)
      }
      yield { blob: blobOf(part.blob, record, part.partNumber), start: from - offset, end: to - offset }
    }
    offset += size
  }
  if (offset !== pageEnd) throw contradiction(record, `a page ends at ${offset}, not at ${pageEnd}`)
}

async function fetchPage(metadata: MetadataApi, record: StoredContent, page: number): Promise<ManifestPage> {
  const { bucket, key, version } = record
  const reply = await metadata.call('getManifest', { bucket, key, version, firstPage: page, pageCount: 1 })
  const [found] = reply.pages
  if (found === undefined) throw contradiction(record, `page ${page} of its manifest is gone`)
  return found
}

function contradiction({ bucket, key, version }: StoredContent, what: string): StoreError {
  return new StoreError('unreadable', `object ${bucket}/${key} version ${version}: ${what}`)
}
