import type { GetBucketLocationCommandInput, GetBucketLocationCommandOutput } from '@aws-sdk/client-s3'
import { CLASSIC_REGION } from '../../rules/location-constraint.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** A cluster's Region may be one that AWS does not have. */
export type BucketLocation = Omit<GetBucketLocationCommandOutput, 'LocationConstraint'> & {
  readonly LocationConstraint?: string
}

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
 * Buckets in us-east-1 have no constraint; the others keep the one they were made with.
 */
export function getBucketLocation({
  store,
}: S3Services): S3Handler<GetBucketLocationCommandInput, BucketLocation> {
  return async ({ Bucket }, { region, signal }) => {
    const { bucket } = await store.metadata.call('getBucket', { name: Bucket }, signal)
    const constraint = bucket?.region || region
    return constraint === CLASSIC_REGION ? {} : { LocationConstraint: constraint }
  }
}
