import type { GetBucketTaggingCommandInput, GetBucketTaggingCommandOutput } from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import { readBucketSetting } from '../bucket-setting.ts'
import type { S3Handler, S3Services } from '../services.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html */
export function getBucketTagging({
  store,
}: S3Services): S3Handler<GetBucketTaggingCommandInput, GetBucketTaggingCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    const { value } = await readBucketSetting(store.metadata, Bucket, 'tagging', signal)
    if (value === undefined) throw new S3Error('NoSuchTagSet')
    return { TagSet: value.tags.map(({ key, value: text }) => ({ Key: key, Value: text })) }
  }
}
