import type { UploadPartCopyCommandInput, UploadPartCopyCommandOutput } from '@aws-sdk/client-s3'
import type { ByteRange } from '../../../store/api.ts'
import { parseCopySourceRange } from '../../rules/range.ts'
import { copiedContent, findCopySource, requireCopyableSize } from '../objects/copy-source.ts'
import { checksumMembers } from '../objects/object-members.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { findUpload, onUpload, requirePartNumber, uploadChecksum } from './uploads.ts'

/**
 * Stores an object, or a range of one, as a part. Nobody can declare a checksum of it, so it gets one of the algorithm of
 * its upload, which is answered where the upload was created with an algorithm (API Reference, `CopyPartResult`).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
 */
export function uploadPartCopy({
  store,
}: S3Services): S3Handler<UploadPartCopyCommandInput, UploadPartCopyCommandOutput> {
  return async (input, context) => {
    const { signal } = context
    const { Bucket, Key, UploadId, PartNumber, CopySourceRange } = input
    requirePartNumber(PartNumber)
    const upload = await findUpload(store.metadata, input, signal)
    const { record: source, version } = await findCopySource(store.metadata, input, context)
    const sourceVersion = version.VersionId === undefined ? {} : { CopySourceVersionId: version.VersionId }
    context.announce(sourceVersion)
    const range = rangeOf(CopySourceRange, Number(source.size))
    requireCopyableSize(range.end - range.start)
    const { algorithm, type, asked } = uploadChecksum(upload)
    const part = await onUpload(store.metadata, input, signal, () =>
      store.putPart(
        {
          bucket: Bucket,
          key: Key,
          uploadId: UploadId,
          partNumber: PartNumber,
          storageClass: upload.storageClass,
          content: copiedContent(store, source, range, { algorithm, type }, signal),
        },
        signal,
      ),
    )
    return {
      ...sourceVersion,
      CopyPartResult: {
        ETag: `"${part.etag}"`,
        LastModified: new Date(Number(part.lastModifiedMs)),
        ...(asked ? checksumMembers(part.checksums) : {}),
      },
    }
  }
}

function rangeOf(header: string | undefined, size: number): ByteRange {
  if (header === undefined) return { start: 0, end: size }
  const { first, last } = parseCopySourceRange(header, size)
  return { start: first, end: last + 1 }
}
