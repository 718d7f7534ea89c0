import type { ListPartsCommandInput, ListPartsCommandOutput, Part } from '@aws-sdk/client-s3'
import { PART_NUMBER_MAX } from '../../../core/limits.ts'
import type { PartRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { invalidArgument } from '../../errors/s3-error.ts'
import { initiatorOf } from '../../rules/acl/ownership.ts'
import { requireListLimit } from '../list-limit.ts'
import { checksumMembers } from '../objects/object-members.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { onUpload, uploadChecksum, uploadStorageClass } from './uploads.ts'

/**
 * The parts of an upload, in order of number.
 *
 * `NextPartNumberMarker` is there when there is a next page, as the API Reference has it. The service itself sends it
 * always, "0" at the end, with which several SDKs' paginators begin again from the front, for ever
 * (aws-sdk-go-v2 issue 1140, aws-sdk-rust issue 1143; that of the JavaScript SDK to this day).
 *
 * Checksums are told where the upload was created with an algorithm (recorded of the service by LocalStack's
 * `test_complete_multipart_parts_checksum_default`, against what the API Reference says of CRC64NVME).
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
 */
export function listParts({
  store: { metadata },
}: S3Services): S3Handler<ListPartsCommandInput, ListPartsCommandOutput> {
  return async (input, { signal }) => {
    const { Bucket: bucket, Key: key, UploadId: uploadId } = input
    const limit = requireListLimit('max-parts', input.MaxParts)
    const after = readMarker(input.PartNumberMarker)
    const { upload, parts, truncated } = await onUpload(metadata, input, signal, () =>
      metadata.call('listParts', { bucket, key, uploadId, after, limit }, signal),
    )
    if (upload === undefined) throw new Error('metadata answered without the upload')
    const { algorithm, type, asked } = uploadChecksum(upload)
    return {
      Bucket: bucket,
      Key: key,
      UploadId: uploadId,
      PartNumberMarker: String(after),
      ...(truncated ? { NextPartNumberMarker: String(parts.at(-1)?.partNumber) } : {}),
      MaxParts: limit,
      IsTruncated: truncated,
      Parts: parts.map((part) => ({ ...partOf(part), ...(asked ? checksumMembers(part.checksums) : {}) })),
      Initiator: { ID: initiatorOf(upload) },
      Owner: { ID: upload.owner },
      StorageClass: uploadStorageClass(upload),
      ...(asked ? { ChecksumAlgorithm: algorithm, ChecksumType: type } : {}),
    }
  }
}

function partOf({ partNumber, etag, size, lastModifiedMs }: PartRecord): Part {
  return {
    PartNumber: partNumber,
    LastModified: new Date(Number(lastModifiedMs)),
    ETag: `"${etag}"`,
    Size: Number(size),
  }
}

const INT32_MAX = 2 ** 31 - 1

/** The part number after which the page begins; past the last possible one the page is empty. */
function readMarker(marker: string | undefined): number {
  if (marker === undefined || marker === '') return 0
  const after = /^-?\d{1,10}$/.test(marker) ? Number(marker) : Number.NaN
  if (after >= 0 && after <= INT32_MAX) return Math.min(after, PART_NUMBER_MAX)
  const message =
    after < 0 && after >= -INT32_MAX
      ? `Argument part-number-marker must be an integer between 0 and ${INT32_MAX}`
      : 'Provided part-number-marker not an integer or within integer range'
  throw invalidArgument('part-number-marker', marker, message)
}
