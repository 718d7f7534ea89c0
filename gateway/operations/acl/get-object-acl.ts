import type { GetObjectAclCommandInput, GetObjectAclCommandOutput } from '@aws-sdk/client-s3'
import { hasAcls, ownerOf } from '../../rules/acl/ownership.ts'
import { findObject } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { aclOutput } from './acl-output.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html
 * Where lists are disabled the answer is the full control of the bucket's owner, who owns the object then.
 */
export function getObjectAcl({
  store: { metadata },
}: S3Services): S3Handler<GetObjectAclCommandInput, GetObjectAclCommandOutput> {
  return async (input, context) => {
    const { record } = await findObject(metadata, input, 'GET', context, 'READ_ACP')
    const bucket = await context.access.bucket(input.Bucket)
    return aclOutput(ownerOf(bucket, record), hasAcls(bucket) ? record.acl : undefined)
  }
}
