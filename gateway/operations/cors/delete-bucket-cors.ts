import type { DeleteBucketCorsCommandInput, DeleteBucketCorsCommandOutput } from '@aws-sdk/client-s3'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html
 * Also 204 when there was none.
 */
export function deleteBucketCors({
  store,
}: S3Services): S3Handler<DeleteBucketCorsCommandInput, DeleteBucketCorsCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    await store.metadata.call('deleteBucketSetting', { name: Bucket, kind: 'cors' }, signal)
    return {}
  }
}
