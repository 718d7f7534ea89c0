import type { UploadPartCommandInput, UploadPartCommandOutput } from '@aws-sdk/client-s3'
import type { ChecksumAlgorithm } from '../../../core/checksum/algorithms.ts'
import { toBase64 } from '../../../core/checksum/base64.ts'
import { S3Error } from '../../errors/s3-error.ts'
import type { VerifiedBody } from '../../body/verified-body.ts'
import { contentOf } from '../objects/content.ts'
import { checksumMembers } from '../objects/object-members.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { findUpload, onUpload, requirePartNumber, uploadChecksum, type UploadChecksum } from './uploads.ts'

/**
 * Stores one part. The upload is looked for before the body is read, and again in the commit: it may have been aborted
 * meanwhile.
 *
 * A part of an upload that was created with a checksum algorithm brings a checksum of it or, where the upload's is of the
 * full object, none: then it is computed here. Where the upload has no algorithm, the part may bring a checksum of any,
 * which is confirmed and answered; kept is CRC64NVME, of which the object's will be made. (Versity's integration suite,
 * `UploadPart_no_checksum_with_full_object_checksum_type` and its neighbours.)
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
 */
export function uploadPart({
  store,
}: S3Services): S3Handler<UploadPartCommandInput, UploadPartCommandOutput> {
  return async (input, { signal }) => {
    const { Bucket, Key, UploadId, PartNumber, Body } = input
    requirePartNumber(PartNumber)
    const upload = await findUpload(store.metadata, input, signal)
    const checksum = uploadChecksum(upload)
    requireChecksum(checksum, Body.checksumAlgorithm)
    const part = await onUpload(store.metadata, input, signal, () =>
      store.putPart(
        {
          bucket: Bucket,
          key: Key,
          uploadId: UploadId,
          partNumber: PartNumber,
          storageClass: upload.storageClass,
          content: contentOf(Body, checksum.algorithm, checksum.type),
        },
        signal,
      ),
    )
    const told = declaredChecksum(Body) ?? (checksum.asked ? checksumMembers(part.checksums) : {})
    return { ETag: `"${part.etag}"`, ...told }
  }
}

/** @throws {S3Error} InvalidRequest */
function requireChecksum(
  { algorithm, type, asked }: UploadChecksum,
  sent: ChecksumAlgorithm | undefined,
): void {
  if (!asked || sent === algorithm) return
  if (sent === undefined && type === 'FULL_OBJECT') return
  throw new S3Error('InvalidRequest', {
    message: `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${sent?.toLowerCase() ?? 'null'}`,
  })
}

/** The checksum that the client sent with the part, as a member of the answer. */
function declaredChecksum(body: VerifiedBody) {
  const { checksumAlgorithm: algorithm, digests } = body.result()
  const digest = algorithm === undefined ? undefined : digests.get(algorithm)
  if (algorithm === undefined || digest === undefined) return undefined
  return checksumMembers([{ algorithm, value: toBase64(digest), type: 'FULL_OBJECT' }])
}
