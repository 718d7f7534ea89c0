/** Buckets themselves. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { createBucket } from './create-bucket.ts'
import { deleteBucket } from './delete-bucket.ts'
import { getBucketLocation, type BucketLocation } from './get-bucket-location.ts'
import { headBucket } from './head-bucket.ts'
import { listBuckets } from './list-buckets.ts'

export function bucketRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.CreateBucketCommandInput, s3.CreateBucketCommandOutput>(
      s3.CreateBucket$,
      's3:CreateBucket',
      createBucket(services),
    ),
    operation<s3.HeadBucketCommandInput, s3.HeadBucketCommandOutput>(
      s3.HeadBucket$,
      's3:ListBucket',
      headBucket(services),
    ),
    operation<s3.DeleteBucketCommandInput, s3.DeleteBucketCommandOutput>(
      s3.DeleteBucket$,
      's3:DeleteBucket',
      deleteBucket(services),
    ),
    operation<s3.ListBucketsCommandInput, s3.ListBucketsCommandOutput>(
      s3.ListBuckets$,
      's3:ListAllMyBuckets',
      listBuckets(services),
    ),
    operation<s3.GetBucketLocationCommandInput, BucketLocation>(
      s3.GetBucketLocation$,
      's3:GetBucketLocation',
      getBucketLocation(services),
    ),
  ]
}
