import type { DeleteObjectTaggingCommandInput, DeleteObjectTaggingCommandOutput } from '@aws-sdk/client-s3'
import type { S3Handler, S3Services } from '../services.ts'
import { replaceTags } from './replace-tags.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html
 * Also 204 when there were none.
 */
export function deleteObjectTagging({
  store: { metadata },
}: S3Services): S3Handler<DeleteObjectTaggingCommandInput, DeleteObjectTaggingCommandOutput> {
  return async (input, context) => await replaceTags(metadata, input, [], 'DELETE', context)
}
