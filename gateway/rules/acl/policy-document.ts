/** The `AccessControlPolicy` document of PutBucketAcl and PutObjectAcl. */
import type { AccessControlPolicy } from '@aws-sdk/client-s3'
import { ACL_GRANTS_MAX } from '../../../core/limits.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { inDocuments, refuseEmail, requireAccountId, requireGroup, type IsAccount } from './grantees.ts'
import { toAccount, toGroup, type AclInit, type GrantedPermission, type GrantInit } from './grants.ts'

type DocumentGrant = NonNullable<AccessControlPolicy['Grants']>[number]

const permissions: ReadonlySet<string> = new Set<GrantedPermission>([
  'FULL_CONTROL',
  'READ',
  'WRITE',
  'READ_ACP',
  'WRITE_ACP',
])

/**
 * The list of a document. It replaces all there is: an owner that leaves itself out is no longer in the list, and keeps
 * its rights as owner.
 *
 * A document that names another owner than there is would change the owner, which nobody may: AccessDenied (not
 * documented; what Ceph and the service itself answer).
 * @param owner canonical id of the resource's owner
 * @throws {S3Error} MalformedACLError (also for more than 100 grants), InvalidArgument, AccessDenied, MethodNotAllowed
 */
export function readPolicyDocument(
  { Owner, Grants }: AccessControlPolicy,
  owner: string,
  isAccount: IsAccount,
): AclInit {
  if (Owner?.ID === undefined || Owner.ID === '' || Grants === undefined || Grants.length > ACL_GRANTS_MAX) {
    throw new S3Error('MalformedACLError')
  }
  const named = Owner.ID.toLowerCase()
  if (named !== owner) {
    requireAccountId(Owner.ID, isAccount, inDocuments)
    throw new S3Error('AccessDenied')
  }
  return { grants: Grants.map((grant) => readGrant(grant, owner, isAccount)) }
}

function readGrant({ Grantee, Permission }: DocumentGrant, owner: string, isAccount: IsAccount): GrantInit {
  if (Grantee === undefined || !isPermission(Permission)) throw new S3Error('MalformedACLError')
  switch (Grantee.Type) {
    case 'CanonicalUser': {
      if (Grantee.ID === undefined) throw new S3Error('MalformedACLError')
      // An owner need not be an account any more, or, of an object put by nobody known, never was.
      const known: IsAccount = (id) => id === owner || isAccount(id)
      return toAccount(requireAccountId(Grantee.ID, known, inDocuments), Permission)
    }
    case 'Group':
      if (Grantee.URI === undefined) throw new S3Error('MalformedACLError')
      return toGroup(requireGroup(Grantee.URI, inDocuments), Permission)
    case 'AmazonCustomerByEmail':
      if (Grantee.EmailAddress === undefined) throw new S3Error('MalformedACLError')
      throw refuseEmail()
    default:
      throw new S3Error('MalformedACLError')
  }
}

function isPermission(text: string | undefined): text is GrantedPermission {
  return text !== undefined && permissions.has(text)
}
