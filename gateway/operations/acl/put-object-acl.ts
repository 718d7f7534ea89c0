import type { PutObjectAclCommandInput, PutObjectAclCommandOutput } from '@aws-sdk/client-s3'
import { versionIdOf } from '../../../core/records/version-id.ts'
import { refusePublicAcl } from '../../authorize/public-access.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { hasAcls } from '../../rules/acl/ownership.ts'
import { findObject, refuseAtMarker } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { requestedAcl } from './requested-acl.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
 * Replaces the list of one version. The owner stays who it is, whoever is allowed to write the list.
 */
export function putObjectAcl({
  store: { metadata },
}: S3Services): S3Handler<PutObjectAclCommandInput, PutObjectAclCommandOutput> {
  return async (input, context) => {
    const { access, signal } = context
    const found = findObject(metadata, input, 'PUT', context, 'WRITE_ACP')
    const { record } = await found.catch(refuseAtMarker('PUT'))
    const bucket = await access.bucket(input.Bucket)
    const acl = requestedAcl(input, record.owner, bucket.owner, access.isAccount)
    if (!hasAcls(bucket)) throw new S3Error('AccessControlListNotSupported')
    refusePublicAcl(bucket, acl)
    const versionId = versionIdOf(record)
    // Of the version that was looked at: one put meanwhile may be another's.
    const update = { bucket: record.bucket, key: record.key, versionId, acl, ifMatch: record.etag }
    await metadata.call('updateObject', update, signal)
    return {}
  }
}
