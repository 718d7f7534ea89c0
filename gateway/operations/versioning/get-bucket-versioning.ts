import type { GetBucketVersioningCommandInput, GetBucketVersioningCommandOutput } from '@aws-sdk/client-s3'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { findBucket } from '../buckets/find-bucket.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
 * The document of a bucket that never had versioning is empty.
 */
export function getBucketVersioning({
  store,
}: S3Services): S3Handler<GetBucketVersioningCommandInput, GetBucketVersioningCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    const { versioning } = await findBucket(store.metadata, Bucket, signal)
    switch (versioning) {
      case BucketVersioning.NEVER:
        return {}
      case BucketVersioning.ENABLED:
        return { Status: 'Enabled' }
      case BucketVersioning.SUSPENDED:
        return { Status: 'Suspended' }
    }
  }
}
