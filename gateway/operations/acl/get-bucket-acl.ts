import type { GetBucketAclCommandInput, GetBucketAclCommandOutput } from '@aws-sdk/client-s3'
import { hasAcls } from '../../rules/acl/ownership.ts'
import type { S3Handler } from '../services.ts'
import { aclOutput } from './acl-output.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
 * Where lists are disabled the answer is the owner's full control, whatever was stored before.
 */
export function getBucketAcl(): S3Handler<GetBucketAclCommandInput, GetBucketAclCommandOutput> {
  return async ({ Bucket }, { access }) => {
    const { bucket, acl } = await access.bucketWithAcl(Bucket)
    return aclOutput(bucket.owner, hasAcls(bucket) ? acl : undefined)
  }
}
