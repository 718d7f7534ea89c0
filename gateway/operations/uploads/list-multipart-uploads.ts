import type {
  ListMultipartUploadsCommandInput,
  ListMultipartUploadsCommandOutput,
  MultipartUpload,
} from '@aws-sdk/client-s3'
import type { UploadRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { invalidArgument } from '../../errors/s3-error.ts'
import { initiatorOf } from '../../rules/acl/ownership.ts'
import { listingEncoder } from '../../rules/encoding-type.ts'
import { listingStart } from '../../rules/listing-marker.ts'
import { requireListLimit } from '../list-limit.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { isUploadId, uploadChecksum, uploadStorageClass } from './uploads.ts'

/**
 * The uploads in progress, in order of key and then of their beginning. As in S3, `upload-id-marker` means nothing
 * without `key-marker`, the next markers are there even where there is no next page, and the prefix only where one was
 * given.
 *
 * The marker's upload may have ended between two pages: the listing goes on from where it was.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
 */
export function listMultipartUploads({
  store: { metadata },
}: S3Services): S3Handler<ListMultipartUploadsCommandInput, ListMultipartUploadsCommandOutput> {
  return async (input, { signal }) => {
    const { Bucket, Prefix = '', Delimiter = '', KeyMarker = '', EncodingType } = input
    const limit = requireListLimit('max-uploads', input.MaxUploads)
    const UploadIdMarker = KeyMarker === '' ? '' : (input.UploadIdMarker ?? '')
    if (UploadIdMarker !== '' && !isUploadId(UploadIdMarker)) {
      throw invalidArgument('upload-id-marker', UploadIdMarker, 'Invalid uploadId marker')
    }
    const keyMarker = listingStart(KeyMarker, Prefix, Delimiter)
    const page = await metadata.call(
      'listUploads',
      {
        bucket: Bucket,
        prefix: Prefix,
        delimiter: Delimiter,
        keyMarker,
        uploadIdMarker: keyMarker === KeyMarker ? UploadIdMarker : '',
        limit,
      },
      signal,
    )
    const last = page.uploads.at(-1)
    const next = page.truncated
      ? { key: page.nextKeyMarker, uploadId: page.nextUploadIdMarker }
      : { key: last?.key ?? '', uploadId: last?.uploadId ?? '' }
    const encode = listingEncoder(EncodingType)
    return {
      Bucket,
      KeyMarker: encode(KeyMarker),
      UploadIdMarker,
      NextKeyMarker: encode(next.key),
      NextUploadIdMarker: next.uploadId,
      ...(input.Prefix === undefined ? {} : { Prefix: encode(Prefix) }),
      ...(Delimiter === '' ? {} : { Delimiter: encode(Delimiter) }),
      MaxUploads: limit,
      IsTruncated: page.truncated,
      Uploads: page.uploads.map((upload) => uploadOf(upload, encode)),
      CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })),
      ...(EncodingType === undefined ? {} : { EncodingType }),
    }
  }
}

function uploadOf(upload: UploadRecord, encode: (name: string) => string): MultipartUpload {
  const { algorithm, type, asked } = uploadChecksum(upload)
  return {
    UploadId: upload.uploadId,
    Key: encode(upload.key),
    Initiated: new Date(Number(upload.initiatedMs)),
    StorageClass: uploadStorageClass(upload),
    Owner: { ID: upload.owner },
    Initiator: { ID: initiatorOf(upload) },
    ...(asked ? { ChecksumAlgorithm: algorithm, ChecksumType: type } : {}),
  }
}
