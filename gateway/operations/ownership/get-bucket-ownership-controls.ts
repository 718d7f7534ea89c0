import type {
  GetBucketOwnershipControlsCommandInput,
  GetBucketOwnershipControlsCommandOutput,
} from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import { findBucket } from '../buckets/find-bucket.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { ownershipName } from './object-ownership.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html */
export function getBucketOwnershipControls({
  store,
}: S3Services): S3Handler<GetBucketOwnershipControlsCommandInput, GetBucketOwnershipControlsCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    const { objectOwnership } = await findBucket(store.metadata, Bucket, signal)
    const name = ownershipName(objectOwnership)
    if (name === undefined) throw new S3Error('OwnershipControlsNotFoundError')
    return { OwnershipControls: { Rules: [{ ObjectOwnership: name }] } }
  }
}
