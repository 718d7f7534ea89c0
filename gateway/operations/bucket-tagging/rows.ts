/** The tags of a bucket. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { deleteBucketTagging } from './delete-bucket-tagging.ts'
import { getBucketTagging } from './get-bucket-tagging.ts'
import { putBucketTagging } from './put-bucket-tagging.ts'

export function bucketTaggingRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutBucketTaggingCommandInput, s3.PutBucketTaggingCommandOutput>(
      s3.PutBucketTagging$,
      's3:PutBucketTagging',
      putBucketTagging(services),
      { checksumRequired: true },
    ),
    operation<s3.GetBucketTaggingCommandInput, s3.GetBucketTaggingCommandOutput>(
      s3.GetBucketTagging$,
      's3:GetBucketTagging',
      getBucketTagging(services),
    ),
    operation<s3.DeleteBucketTaggingCommandInput, s3.DeleteBucketTaggingCommandOutput>(
      s3.DeleteBucketTagging$,
      's3:PutBucketTagging',
      deleteBucketTagging(services),
    ),
  ]
}
