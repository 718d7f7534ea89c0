/**
 * Which bytes of an object GetObject and HeadObject speak of: all of them, a range, or a part of a multipart upload.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
 */
import { MANIFEST_PAGE_PARTS, PART_NUMBER_MAX } from '../../../core/limits.ts'
import type { Checksum, ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import type { ByteRange } from '../../../store/api.ts'
import { invalidArgument, S3Error } from '../../errors/s3-error.ts'
import { formatContentRange, parseRange } from '../../rules/range.ts'

export interface SelectionInput {
  readonly Range?: string | undefined
  readonly PartNumber?: number | undefined
}

export interface Selection {
  readonly bytes: ByteRange
  /** Of a 206. */
  readonly contentRange?: string
  /** Parts of the object; told only to those who ask for one. */
  readonly partsCount?: number
  /**
   * What holds for exactly these bytes: a range has none, but one of all of them (recorded of the service by LocalStack's
   * `test_get_object_range`).
   */
  readonly checksums: readonly Checksum[]
}

/** What can be refused before the object is looked at. @throws {S3Error} InvalidRequest, InvalidArgument */
export function checkSelection({ Range, PartNumber }: SelectionInput): void {
  if (PartNumber === undefined) return
  if (Range !== undefined) {
    throw new S3Error('InvalidRequest', {
      message: 'Cannot specify both Range header and partNumber query parameter',
    })
  }
  if (PartNumber < 1 || PartNumber > PART_NUMBER_MAX) {
    const message = `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`
    throw invalidArgument('partNumber', String(PartNumber), message)
  }
}

/** @throws {S3Error} InvalidRange, InvalidPartNumber: 416 both */
export async function selectBytes(
  metadata: MetadataApi,
  record: ObjectRecord,
  { Range, PartNumber }: SelectionInput,
  signal: AbortSignal,
): Promise<Selection> {
  const size = Number(record.size)
  if (PartNumber !== undefined) return await selectPart(metadata, record, PartNumber, signal)
  const range = parseRange(Range, size)
  if (range === undefined) return { bytes: { start: 0, end: size }, checksums: record.checksums }
  return {
    bytes: { start: range.first, end: range.last + 1 },
    contentRange: formatContentRange(range, size),
    checksums: range.first === 0 && range.last === size - 1 ? record.checksums : [],
  }
}

/** Parts count from 1 in the order of the object, whatever numbers they were uploaded under. */
async function selectPart(
  metadata: MetadataApi,
  record: ObjectRecord,
  partNumber: number,
  signal: AbortSignal,
): Promise<Selection> {
  const { bucket, key, version, manifest } = record
  const partsCount = manifest?.partCount ?? 1
  if (partNumber > partsCount) {
    throw new S3Error('InvalidPartNumber', {
      fields: { PartNumberRequested: String(partNumber), ActualPartCount: String(partsCount) },
    })
  }
  // An object that came in one piece is its own only part.
  if (manifest === undefined) return selected(record, 0, Number(record.size), record.checksums)
  const firstPage = Math.floor((partNumber - 1) / MANIFEST_PAGE_PARTS)
  const request = { bucket, key, version, firstPage, pageCount: 1 }
  const { pages } = await metadata.call('getManifest', request, signal)
  const before = pages[0]?.parts.slice(0, (partNumber - 1) % MANIFEST_PAGE_PARTS) ?? []
  const part = pages[0]?.parts[before.length]
  const pageOffset = manifest.pageOffsets[firstPage]
  if (part === undefined || pageOffset === undefined) {
    throw new Error(`the manifest of version ${version} has no part ${partNumber}`)
  }
  const start = before.reduce((at, { size }) => at + size, pageOffset)
  // A part's own checksum is told where the object's is made of them, and nowhere else (recorded of the service by
  // LocalStack's `test_complete_multipart_parts_checksum_full_object`): FULL_OBJECT would say that it is the object's.
  const isComposite = record.checksums.some(({ type }) => type === 'COMPOSITE')
  const checksums = isComposite ? part.checksums : []
  return { ...selected(record, Number(start), Number(start + part.size), checksums), partsCount }
}

/** A part is 206, but no Content-Range can say that nothing was sent. */
function selected(
  record: ObjectRecord,
  start: number,
  end: number,
  checksums: readonly Checksum[],
): Selection {
  const bytes = { start, end }
  if (start === end) return { bytes, checksums }
  const contentRange = formatContentRange({ first: start, last: end - 1 }, Number(record.size))
  return { bytes, contentRange, checksums }
}
