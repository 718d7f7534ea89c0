import type { GetBucketCorsCommandInput, GetBucketCorsCommandOutput } from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import { readBucketSetting } from '../bucket-setting.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html */
export function getBucketCors({
  store,
}: S3Services): S3Handler<GetBucketCorsCommandInput, GetBucketCorsCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    const { value } = await readBucketSetting(store.metadata, Bucket, 'cors', signal)
    if (value === undefined) throw new S3Error('NoSuchCORSConfiguration')
    return {
      CORSRules: value.rules.map((rule) => ({
        ...(rule.id === '' ? {} : { ID: rule.id }),
        AllowedMethods: rule.allowedMethods,
        AllowedOrigins: rule.allowedOrigins,
        ...(rule.allowedHeaders.length === 0 ? {} : { AllowedHeaders: rule.allowedHeaders }),
        ...(rule.exposeHeaders.length === 0 ? {} : { ExposeHeaders: rule.exposeHeaders }),
        ...(rule.maxAgeSeconds === undefined ? {} : { MaxAgeSeconds: rule.maxAgeSeconds }),
      })),
    }
  }
}
