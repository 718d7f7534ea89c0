import type { PutObjectTaggingCommandInput, PutObjectTaggingCommandOutput } from '@aws-sdk/client-s3'
import { checkTagSet } from '../../rules/tags.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { replaceTags } from './replace-tags.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
 * The set replaces the one that is there; an empty one leaves no tags.
 */
export function putObjectTagging({
  store: { metadata },
}: S3Services): S3Handler<PutObjectTaggingCommandInput, PutObjectTaggingCommandOutput> {
  return async (input, context) => {
    const tags = checkTagSet(input.Tagging.TagSet, 'object')
    return await replaceTags(metadata, input, tags, 'PUT', context)
  }
}
