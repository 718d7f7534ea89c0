import type { DeleteObjectCommandInput, DeleteObjectCommandOutput } from '@aws-sdk/client-s3'
import { entityTags } from '../../rules/conditions.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
 * Deleting what is not there succeeds. With `If-Match` it is 404 NoSuchKey, and 412 when the object is another
 * (User Guide, "How to perform conditional deletes").
 */
export function deleteObject({
  store,
}: S3Services): S3Handler<DeleteObjectCommandInput, DeleteObjectCommandOutput> {
  return async ({ Bucket, Key, IfMatch }, { signal }) => {
    const conditions = { ifMatch: IfMatch === undefined ? [] : entityTags(IfMatch) }
    await store.metadata.call('deleteObject', { bucket: Bucket, key: Key, conditions }, signal)
    return {}
  }
}
