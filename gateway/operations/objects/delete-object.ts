import type { DeleteObjectCommandInput, DeleteObjectCommandOutput } from '@aws-sdk/client-s3'
import { readDeleteConditions } from '../../rules/delete-conditions.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { notBuilt } from '../unsupported.ts'
import { refuseBypass } from './bypass-governance.ts'
import { deleteVersion } from './delete-version.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
 * Deleting what is not there succeeds. With `If-Match` it is 404 NoSuchKey, and 412 when the object is another, or a
 * delete marker (User Guide, "How to perform conditional deletes"). `If-Match` for a version that is named is 501, also
 * when it is the current one (recorded of the service in localstack issue 13894).
 */
export function deleteObject(
  services: S3Services,
): S3Handler<DeleteObjectCommandInput, DeleteObjectCommandOutput> {
  return async (input, context) => {
    await refuseBypass(services, input, context.signal)
    const { IfMatch: ifMatch, IfMatchSize: size, IfMatchLastModifiedTime: lastModified } = input
    const versionId = requestedVersion(input.VersionId)
    if (versionId !== '' && ifMatch !== undefined) throw notBuilt('Header', 'If-Match')
    const conditions = readDeleteConditions({ ifMatch, size, lastModified })
    const version = { bucket: input.Bucket, key: input.Key, versionId, conditions }
    const deleted = await deleteVersion(services, version, context)
    return {
      ...(deleted.deleteMarker ? { DeleteMarker: true } : {}),
      ...(deleted.versionId === '' ? {} : { VersionId: deleted.versionId }),
    }
  }
}
