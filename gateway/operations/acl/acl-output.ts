import type { Grant as S3Grant, GetBucketAclCommandOutput } from '@aws-sdk/client-s3'
import type { AccessControlList, Grant } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { ownerOnly, type GrantedPermission } from '../../rules/acl/grants.ts'

/**
 * A list as GetBucketAcl and GetObjectAcl tell it: ids, and no display names, which S3 has left out since November 2025
 * (API Reference, "Owner" and "Grantee").
 * @param owner canonical id
 * @param acl undefined: nobody but the owner
 */
export function aclOutput(
  owner: string,
  acl: AccessControlList | undefined,
): Pick<GetBucketAclCommandOutput, 'Owner' | 'Grants'> {
  return { Owner: { ID: owner }, Grants: (acl ?? ownerOnly(owner)).grants.map(grantOutput) }
}

function grantOutput({ account, group, permission }: Omit<Grant, '$typeName'>): S3Grant {
  return {
    Grantee: group === '' ? { Type: 'CanonicalUser', ID: account } : { Type: 'Group', URI: group },
    Permission: permissionOf(permission),
  }
}

function permissionOf(text: string): GrantedPermission {
  switch (text) {
    case 'FULL_CONTROL':
    case 'READ':
    case 'WRITE':
    case 'READ_ACP':
    case 'WRITE_ACP':
      return text
    default:
      throw new Error(`metadata keeps a grant of ${text}`)
  }
}
