/** Whether a bucket keeps versions. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { getBucketVersioning } from './get-bucket-versioning.ts'
import { putBucketVersioning } from './put-bucket-versioning.ts'

export function versioningRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutBucketVersioningCommandInput, s3.PutBucketVersioningCommandOutput>(
      s3.PutBucketVersioning$,
      's3:PutBucketVersioning',
      putBucketVersioning(services),
    ),
    operation<s3.GetBucketVersioningCommandInput, s3.GetBucketVersioningCommandOutput>(
      s3.GetBucketVersioning$,
      's3:GetBucketVersioning',
      getBucketVersioning(services),
    ),
  ]
}
