import type { DeleteObjectCommandInput, DeleteObjectCommandOutput } from '@aws-sdk/client-s3'
import { readDeleteConditions } from '../../rules/delete-conditions.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { deleteVersion } from './delete-version.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
 * Deleting what is not there succeeds. With `If-Match` it is 404 NoSuchKey, where a delete marker is current as well, and
 * 412 when the object is another (User Guide, "How to perform conditional deletes"; that the service answers 404, not
 * the 412 of the guide, for `If-Match: *`, ministack issue 1475 records).
 */
export function deleteObject(
  services: S3Services,
): S3Handler<DeleteObjectCommandInput, DeleteObjectCommandOutput> {
  return async (input, context) => {
    const versionId = requestedVersion(input.VersionId)
    const { IfMatch: ifMatch, IfMatchSize: size, IfMatchLastModifiedTime: lastModified } = input
    const conditions = readDeleteConditions({ ifMatch, size, lastModified }, versionId)
    const version = { bucket: input.Bucket, key: input.Key, versionId, conditions }
    const deleted = await deleteVersion(services, version, context)
    return {
      ...(deleted.deleteMarker ? { DeleteMarker: true } : {}),
      ...(deleted.versionId === '' ? {} : { VersionId: deleted.versionId }),
    }
  }
}
