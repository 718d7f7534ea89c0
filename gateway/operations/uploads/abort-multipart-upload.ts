import type { AbortMultipartUploadCommandInput, AbortMultipartUploadCommandOutput } from '@aws-sdk/client-s3'
import type { S3Handler, S3Services } from '../services.ts'
import { onUpload } from './uploads.ts'

/**
 * Ends an upload and gives up its parts. A part that is still on its way finds no upload to be committed to.
 *
 * One that is over, completed or aborted, is `NoSuchUpload`, as the API Reference says of the operation. The service has
 * been seen to answer 204 for some hours after the end (minio/minio issue 2250); no client can rely on either.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
 */
export function abortMultipartUpload({
  store: { metadata },
}: S3Services): S3Handler<AbortMultipartUploadCommandInput, AbortMultipartUploadCommandOutput> {
  return async (input, { signal }) => {
    const { Bucket: bucket, Key: key, UploadId: uploadId } = input
    await onUpload(metadata, input, signal, () =>
      metadata.call('abortUpload', { bucket, key, uploadId }, signal),
    )
    return {}
  }
}
