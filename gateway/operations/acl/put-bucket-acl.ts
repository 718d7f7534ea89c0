import type { PutBucketAclCommandInput, PutBucketAclCommandOutput } from '@aws-sdk/client-s3'
import { refusePublicAcl } from '../../authorize/public-access.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { hasAcls } from '../../rules/acl/ownership.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { requestedAcl } from './requested-acl.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
 * Replaces the bucket's list. A list that is none is refused as such, also where lists are disabled (recorded of the
 * service by LocalStack's `test_s3_bucket_acl_exceptions`).
 */
export function putBucketAcl({
  store: { metadata },
}: S3Services): S3Handler<PutBucketAclCommandInput, PutBucketAclCommandOutput> {
  return async (input, { access, signal }) => {
    const { Bucket } = input
    const bucket = await access.bucket(Bucket)
    const acl = requestedAcl(input, bucket.owner, bucket.owner, access.isAccount)
    if (!hasAcls(bucket)) throw new S3Error('AccessControlListNotSupported')
    refusePublicAcl(bucket, acl)
    const setting = { setting: { case: 'acl', value: acl } } as const
    await metadata.call('putBucketSetting', { name: Bucket, setting }, signal)
    return {}
  }
}
