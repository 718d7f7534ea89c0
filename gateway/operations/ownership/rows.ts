/** Who owns the objects of a bucket, and whether access control lists count. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { deleteBucketOwnershipControls } from './delete-bucket-ownership-controls.ts'
import { getBucketOwnershipControls } from './get-bucket-ownership-controls.ts'
import { putBucketOwnershipControls } from './put-bucket-ownership-controls.ts'

export function ownershipRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutBucketOwnershipControlsCommandInput, s3.PutBucketOwnershipControlsCommandOutput>(
      s3.PutBucketOwnershipControls$,
      's3:PutBucketOwnershipControls',
      putBucketOwnershipControls(services),
    ),
    operation<s3.GetBucketOwnershipControlsCommandInput, s3.GetBucketOwnershipControlsCommandOutput>(
      s3.GetBucketOwnershipControls$,
      's3:GetBucketOwnershipControls',
      getBucketOwnershipControls(services),
    ),
    operation<s3.DeleteBucketOwnershipControlsCommandInput, s3.DeleteBucketOwnershipControlsCommandOutput>(
      s3.DeleteBucketOwnershipControls$,
      's3:PutBucketOwnershipControls',
      deleteBucketOwnershipControls(services),
    ),
  ]
}
