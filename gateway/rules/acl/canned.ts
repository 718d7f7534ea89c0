/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl */
import {
  ALL_USERS,
  AUTHENTICATED_USERS,
  LOG_DELIVERY,
  ownerOnly,
  toAccount,
  toGroup,
  type AclInit,
  type GrantInit,
} from './grants.ts'

export type CannedAcl =
  | 'private'
  | 'public-read'
  | 'public-read-write'
  | 'authenticated-read'
  | 'aws-exec-read'
  | 'bucket-owner-read'
  | 'bucket-owner-full-control'
  | 'log-delivery-write'

/** Canonical id of the account ("za-team") by which Amazon EC2 fetches machine images: the grantee of `aws-exec-read`. */
export const EC2_IMAGES_ID = '6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c'

const granting: Readonly<Record<CannedAcl, (bucketOwner: string) => readonly GrantInit[]>> = {
  private: () => [],
  'public-read': () => [toGroup(ALL_USERS, 'READ')],
  'public-read-write': () => [toGroup(ALL_USERS, 'READ'), toGroup(ALL_USERS, 'WRITE')],
  'authenticated-read': () => [toGroup(AUTHENTICATED_USERS, 'READ')],
  'aws-exec-read': () => [toAccount(EC2_IMAGES_ID, 'READ')],
  'bucket-owner-read': (bucketOwner) => [toAccount(bucketOwner, 'READ')],
  'bucket-owner-full-control': (bucketOwner) => [toAccount(bucketOwner, 'FULL_CONTROL')],
  'log-delivery-write': () => [toGroup(LOG_DELIVERY, 'WRITE'), toGroup(LOG_DELIVERY, 'READ_ACP')],
}

/**
 * The grants that a canned list stands for. Of a bucket, whose owner is the bucket's owner, the `bucket-owner-*` ones
 * stand for `private`, as S3 ignores them there.
 * @param owner canonical id of the resource's owner
 * @param bucketOwner canonical id of the owner of the bucket
 */
export function cannedAcl(name: CannedAcl, owner: string, bucketOwner: string): AclInit {
  const more = granting[name](bucketOwner).filter(({ account }) => account !== owner)
  return { grants: [...ownerOnly(owner).grants, ...more] }
}
