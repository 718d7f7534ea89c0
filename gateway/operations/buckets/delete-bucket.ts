import type { DeleteBucketCommandInput, DeleteBucketCommandOutput } from '@aws-sdk/client-s3'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html */
export function deleteBucket({
  store,
}: S3Services): S3Handler<DeleteBucketCommandInput, DeleteBucketCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    await store.metadata.call('deleteBucket', { name: Bucket }, signal)
    return {}
  }
}
