/** The access control list that a request asks for in its headers: canned, or grant by grant. */
import { S3Error } from '../../errors/s3-error.ts'
import { cannedAcl, type CannedAcl } from './canned.ts'
import { hasGrantHeaders, readGrantHeaders, type GrantHeaders } from './grant-headers.ts'
import type { IsAccount } from './grantees.ts'
import type { AclInit } from './grants.ts'

export interface AclHeaders extends GrantHeaders {
  readonly ACL?: CannedAcl | undefined
}

/** What was asked for; its grants follow once it is known who owns the resource. */
export interface RequestedAcl {
  /** Undefined for grant headers. */
  readonly canned: CannedAcl | undefined
  resolve(owner: string, bucketOwner: string): AclInit
}

/**
 * @returns undefined when the request asks for none
 * @throws {S3Error} InvalidRequest for both kinds at once; what `readGrantHeaders` throws
 */
export function readAclHeaders(input: AclHeaders, isAccount: IsAccount): RequestedAcl | undefined {
  const { ACL: canned } = input
  if (!hasGrantHeaders(input)) {
    if (canned === undefined) return undefined
    return { canned, resolve: (owner, bucketOwner) => cannedAcl(canned, owner, bucketOwner) }
  }
  if (canned !== undefined) {
    throw new S3Error('InvalidRequest', {
      message: 'Specifying both Canned ACLs and Header Grants is not allowed',
    })
  }
  const grants = [...readGrantHeaders(input, isAccount)]
  return { canned, resolve: () => ({ grants }) }
}
