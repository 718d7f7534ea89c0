import { refusePublicAcl } from '../../authorize/public-access.ts'
import { invalidArgument } from '../../errors/s3-error.ts'
import type { AclInit } from '../../rules/acl/grants.ts'
import { newObject } from '../../rules/acl/ownership.ts'
import { readAclHeaders, type AclHeaders } from '../../rules/acl/requested.ts'
import type { RequestContext } from '../operation.ts'

/** Fields of the record. */
export interface AccessOfNewObject {
  /** Canonical id. */
  readonly owner: string
  /** Left out: nobody but the owner. */
  readonly acl?: AclInit
}

/**
 * Who is to own an object that the sender writes, and the list it asks for in its headers.
 * @throws {S3Error} InvalidRequest, InvalidArgument, AccessControlListNotSupported, MalformedACLError, MethodNotAllowed
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function accessOfNewObject(
  input: AclHeaders & { readonly Bucket: string },
  { access }: Pick<RequestContext, 'access'>,
): Promise<AccessOfNewObject> {
  const requested = readAclHeaders(input, access.isAccount)
  if (requested?.canned === 'log-delivery-write') throw invalidArgument('x-amz-acl', requested.canned)
  const bucket = await access.bucket(input.Bucket)
  const { owner, acl } = newObject(bucket, access.requester, requested)
  if (acl === undefined) return { owner }
  refusePublicAcl(bucket, acl)
  return { owner, acl }
}
