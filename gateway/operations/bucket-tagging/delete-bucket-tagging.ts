import type { DeleteBucketTaggingCommandInput, DeleteBucketTaggingCommandOutput } from '@aws-sdk/client-s3'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html
 * Also 204 when there were none.
 */
export function deleteBucketTagging({
  store,
}: S3Services): S3Handler<DeleteBucketTaggingCommandInput, DeleteBucketTaggingCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    await store.metadata.call('deleteBucketSetting', { name: Bucket, kind: 'tagging' }, signal)
    return {}
  }
}
