import type { PutBucketTaggingCommandInput, PutBucketTaggingCommandOutput } from '@aws-sdk/client-s3'
import { checkTagSet } from '../../rules/tags.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
 * An empty set is none: GetBucketTagging is NoSuchTagSet after it, as with AWS.
 */
export function putBucketTagging({
  store: { metadata },
}: S3Services): S3Handler<PutBucketTaggingCommandInput, PutBucketTaggingCommandOutput> {
  return async ({ Bucket, Tagging }, { signal }) => {
    const tags = checkTagSet(Tagging.TagSet, 'bucket')
    if (tags.length === 0) {
      await metadata.call('deleteBucketSetting', { name: Bucket, kind: 'tagging' }, signal)
    } else {
      const setting = { setting: { case: 'tagging' as const, value: { tags } } }
      await metadata.call('putBucketSetting', { name: Bucket, setting }, signal)
    }
    return {}
  }
}
