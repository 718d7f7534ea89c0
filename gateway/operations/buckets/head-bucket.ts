import type { HeadBucketCommandInput, HeadBucketCommandOutput } from '@aws-sdk/client-s3'
import { bucketArn } from '../../rules/bucket-arn.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html */
export function headBucket({
  store,
}: S3Services): S3Handler<HeadBucketCommandInput, HeadBucketCommandOutput> {
  return async ({ Bucket }, { region, signal }) => {
    await store.metadata.call('getBucket', { name: Bucket }, signal)
    return { BucketArn: bucketArn(Bucket), BucketRegion: region, AccessPointAlias: false }
  }
}
