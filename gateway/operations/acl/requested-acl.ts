/** The list that PutBucketAcl and PutObjectAcl are to store, from the document or the headers. */
import type { AccessControlPolicy } from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import type { IsAccount } from '../../rules/acl/grantees.ts'
import { hasGrantHeaders } from '../../rules/acl/grant-headers.ts'
import type { AclInit } from '../../rules/acl/grants.ts'
import { readPolicyDocument } from '../../rules/acl/policy-document.ts'
import { readAclHeaders, type AclHeaders } from '../../rules/acl/requested.ts'

export interface PutAclInput extends AclHeaders {
  readonly AccessControlPolicy?: AccessControlPolicy | undefined
}

/**
 * @param owner canonical id of the resource's owner
 * @throws {S3Error} UnexpectedContent for a document and headers, MissingSecurityHeader for neither; what the readers throw
 */
export function requestedAcl(
  input: PutAclInput,
  owner: string,
  bucketOwner: string,
  isAccount: IsAccount,
): AclInit {
  const { AccessControlPolicy: document, ACL } = input
  const inHeaders = ACL !== undefined || hasGrantHeaders(input)
  if (document !== undefined && inHeaders) throw new S3Error('UnexpectedContent')
  if (document !== undefined) return readPolicyDocument(document, owner, isAccount)
  const requested = readAclHeaders(input, isAccount)
  if (requested !== undefined) return requested.resolve(owner, bucketOwner)
  throw new S3Error('MissingSecurityHeader', {
    message: 'Your request was missing a required header',
    fields: { MissingHeaderName: 'x-amz-acl' },
  })
}
