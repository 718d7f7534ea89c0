/** Listings of a bucket. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { listObjectVersions } from './list-object-versions.ts'
import { listObjectsV2 } from './list-objects-v2.ts'
import { listObjects } from './list-objects.ts'

export function listingRows(services: S3Services): readonly OperationRow[] {
  return [
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
    operation<s3.ListObjectVersionsCommandInput, s3.ListObjectVersionsCommandOutput>(
      s3.ListObjectVersions$,
      's3:ListBucketVersions',
      listObjectVersions(services),
    ),
  ]
}
