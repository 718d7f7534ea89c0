import type { ObjectOwnership } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import type { AclInit } from '../../rules/acl/grants.ts'
import { hasAcls } from '../../rules/acl/ownership.ts'
import { readAclHeaders, type AclHeaders } from '../../rules/acl/requested.ts'
import type { RequestContext } from '../operation.ts'

type Context = Pick<RequestContext, 'access' | 'signal'>

/**
 * The list that CreateBucket asks for in its headers.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-ownership-error-responses.html
 * @returns undefined when it asks for none: nobody but the owner
 * @throws {S3Error} InvalidBucketAclWithObjectOwnership where lists are disabled and it gives others anything; what
 *   `readAclHeaders` throws
 */
export function aclOfNewBucket(
  input: AclHeaders,
  objectOwnership: ObjectOwnership,
  { access }: Context,
): AclInit | undefined {
  const owner = access.requester
  const acl = readAclHeaders(input, access.isAccount)?.resolve(owner, owner)
  if (acl === undefined || hasAcls({ objectOwnership })) return acl
  if (acl.grants.some(({ account }) => account !== owner)) {
    throw new S3Error('InvalidBucketAclWithObjectOwnership')
  }
  return undefined
}

/**
 * What is left of making a bucket that one owns already, where that is no error: its list is made as the request has it.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html BucketAlreadyOwnedByYou
 */
export async function resetBucketAcl(
  metadata: MetadataApi,
  name: string,
  acl: AclInit | undefined,
  { access, signal }: Context,
): Promise<void> {
  if (acl === undefined) {
    await metadata.call('deleteBucketSetting', { name, kind: 'acl' }, signal)
  } else if (hasAcls(await access.bucket(name))) {
    await metadata.call(
      'putBucketSetting',
      { name, setting: { setting: { case: 'acl', value: acl } } },
      signal,
    )
  }
}
