/**
 * The operations of S3 that are built, one row each: schema, policy action, handler. What is not here answers 501 by
 * name. Traits common to all are executed here, once.
 */
import * as s3 from '@aws-sdk/client-s3'
import { requireBucketOwner } from './bucket-owner.ts'
import { createBucket } from './create-bucket.ts'
import { headBucket } from './head-bucket.ts'
import { deleteBucket } from './delete-bucket.ts'
import { listBuckets } from './list-buckets.ts'
import { getBucketLocation, type BucketLocation } from './get-bucket-location.ts'
import { getObject } from './get-object.ts'
import { headObject } from './head-object.ts'
import { deleteObject } from './delete-object.ts'
import { deleteObjects } from './delete-objects.ts'
import { listObjects } from './list-objects.ts'
import { listObjectsV2 } from './list-objects-v2.ts'
import { clusterFailure } from './failures.ts'
import { operation, type OperationRow } from './operation.ts'
import type { S3Services } from './services.ts'
import { refuseUnsupported } from './unsupported.ts'
import { writeRows } from './write-rows.ts'

export function s3Table(services: S3Services): readonly OperationRow[] {
  const rows: readonly OperationRow[] = [
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
    operation<s3.GetObjectCommandInput, s3.GetObjectCommandOutput>(
      s3.GetObject$,
      's3:GetObject',
      getObject(services),
    ),
    operation<s3.HeadObjectCommandInput, s3.HeadObjectCommandOutput>(
      s3.HeadObject$,
      's3:GetObject',
      headObject(services),
    ),
    operation<s3.DeleteObjectCommandInput, s3.DeleteObjectCommandOutput>(
      s3.DeleteObject$,
      's3:DeleteObject',
      deleteObject(services),
    ),
    operation<s3.DeleteObjectsCommandInput, s3.DeleteObjectsCommandOutput>(
      s3.DeleteObjects$,
      's3:DeleteObject',
      deleteObjects(services),
      { checksumRequired: true },
    ),
    operation<s3.ListObjectsCommandInput, s3.ListObjectsCommandOutput>(
      s3.ListObjects$,
      's3:ListBucket',
      listObjects(services),
    ),
    operation<s3.ListObjectsV2CommandInput, s3.ListObjectsV2CommandOutput>(
      s3.ListObjectsV2$,
      's3:ListBucket',
      listObjectsV2(services),
    ),
    ...writeRows(services),
  ]
  return rows.map((row) => withTraits(row, services))
}

/**
 * Around every handler: what is not built is refused, `x-amz-expected-bucket-owner` is checked, and failures of the
 * cluster become S3's.
 */
function withTraits(row: OperationRow, { store }: S3Services): OperationRow {
  return {
    ...row,
    async handle(input, context) {
      refuseUnsupported(input)
      try {
        const { Bucket, ExpectedBucketOwner } = input
        if (typeof Bucket === 'string' && typeof ExpectedBucketOwner === 'string') {
          await requireBucketOwner(store.metadata, Bucket, ExpectedBucketOwner, context.signal)
        }
        return await row.handle(input, context)
      } catch (error) {
        const failure = clusterFailure(error)
        if (failure === undefined) throw error
        if (failure.status >= 500) context.log.warn('the cluster failed a request', { error })
        throw failure
      }
    },
  }
}
