import type { PutBucketCorsCommandInput, PutBucketCorsCommandOutput } from '@aws-sdk/client-s3'
import { checkCorsRules } from '../../rules/cors-configuration.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html */
export function putBucketCors({
  store,
}: S3Services): S3Handler<PutBucketCorsCommandInput, PutBucketCorsCommandOutput> {
  return async ({ Bucket, CORSConfiguration }, { signal }) => {
    const rules = checkCorsRules(CORSConfiguration.CORSRules)
    const setting = { setting: { case: 'cors' as const, value: { rules } } }
    await store.metadata.call('putBucketSetting', { name: Bucket, setting }, signal)
    return {}
  }
}
