/**
 * Access control lists as metadata keeps them, and whom they let do what.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
 */
import type { AccessControlList, Grant } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { ANONYMOUS_ID } from '../../accounts/account.ts'

export type Permission = 'READ' | 'WRITE' | 'READ_ACP' | 'WRITE_ACP'
export type GrantedPermission = Permission | 'FULL_CONTROL'

/** A grant without protobuf's own fields: to an account, by its canonical id, or to a group, by its URI. */
export type GrantInit = Pick<Grant, 'account' | 'group'> & { readonly permission: GrantedPermission }

export interface AclInit {
  readonly grants: GrantInit[]
}

/** Everybody, signed or not. */
export const ALL_USERS = 'http://acs.amazonaws.com/groups/global/AllUsers'
/** Any account, whatever it has to do with the owner. */
export const AUTHENTICATED_USERS = 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers'
/** What writes server access logs. */
export const LOG_DELIVERY = 'http://acs.amazonaws.com/groups/s3/LogDelivery'

export const groups: ReadonlySet<string> = new Set([ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY])

export const toAccount = (account: string, permission: GrantedPermission): GrantInit => ({
  account,
  group: '',
  permission,
})
export const toGroup = (group: string, permission: GrantedPermission): GrantInit => ({
  account: '',
  group,
  permission,
})

/** What a resource has that was given none: its owner, and nobody else. */
export function ownerOnly(owner: string): AclInit {
  return { grants: [toAccount(owner, 'FULL_CONTROL')] }
}

/** Whether a list grants a permission to an account, or to nobody known ({@link ANONYMOUS_ID}). */
export function isGranted(
  acl: Pick<AccessControlList, 'grants'> | undefined,
  requester: string,
  permission: Permission,
  { ignoreGroups = false }: { readonly ignoreGroups?: boolean } = {},
): boolean {
  return (acl?.grants ?? []).some(({ account, group, permission: granted }) => {
    if (granted !== permission && granted !== 'FULL_CONTROL') return false
    if (group === '') return account === requester
    return !ignoreGroups && isMember(group, requester)
  })
}

/** The log delivery group has no member that sends requests. */
function isMember(group: string, requester: string): boolean {
  return group === ALL_USERS || (group === AUTHENTICATED_USERS && requester !== ANONYMOUS_ID)
}

/**
 * Whether a list is public: it grants something to everybody, or to every account.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 */
export function isPublic({ grants }: { readonly grants: readonly Pick<Grant, 'group'>[] }): boolean {
  return grants.some(({ group }) => group === ALL_USERS || group === AUTHENTICATED_USERS)
}

/** Whether a list gives full control to one account and nothing to anybody else. */
export function isOwnerOnly(
  { grants }: { readonly grants: readonly Pick<Grant, 'account' | 'permission'>[] },
  owner: string,
): boolean {
  return grants.every(({ account, permission }) => account === owner && permission === 'FULL_CONTROL')
}
