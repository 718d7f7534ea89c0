/**
 * Who may do what, as a pure function of the bucket, its list, the object and the sender.
 *
 * The owner of a bucket may do everything to the bucket, and may remove what is in it; objects that others own (only
 * where lists are enabled) it may read only if their lists say so. Everybody else has what lists grant:
 *
 * | granted    | on a bucket                                      | on an object         |
 * | ---------- | ------------------------------------------------ | -------------------- |
 * | READ       | list objects, versions and uploads; HeadBucket   | read it              |
 * | WRITE      | put objects, also over others'; remove one's own | nothing              |
 * | READ_ACP   | GetBucketAcl                                     | GetObjectAcl         |
 * | WRITE_ACP  | PutBucketAcl                                     | PutObjectAcl         |
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html "Mapping of ACL permissions and access
 *   policy permissions", and "What permissions can I grant?", where WRITE allows deletions only of objects that the grantee owns
 */
import type { AccessControlList, BucketRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { isGranted, type Permission } from '../rules/acl/grants.ts'
import { hasAcls } from '../rules/acl/ownership.ts'
import { publicAccessBlockOf } from './public-access.ts'

/** What a request needs of a bucket: a permission of its list, or to be its owner. */
export type BucketNeed = Permission | 'OWNER'

/** What a request needs of an object. */
export type ObjectNeed = Exclude<Permission, 'WRITE'>

export interface BucketScene {
  readonly bucket: BucketRecord
  readonly acl: AccessControlList | undefined
  /** Canonical id of the sender. */
  readonly requester: string
  readonly isOwner: boolean
}

export function mayUseBucket({ bucket, acl, requester, isOwner }: BucketScene, need: BucketNeed): boolean {
  if (isOwner) return true
  if (need === 'OWNER' || !hasAcls(bucket)) return false
  return isGranted(acl, requester, need, groupsOf(bucket))
}

export function mayUseObject(
  { bucket, requester, isOwner }: Omit<BucketScene, 'acl'>,
  { owner, acl }: Pick<ObjectRecord, 'owner' | 'acl'>,
  need: ObjectNeed,
): boolean {
  if (!hasAcls(bucket)) return isOwner
  return owner === requester || isGranted(acl, requester, need, groupsOf(bucket))
}

/**
 * Whether the current version of a key may be deleted. A version for good is the bucket owner's alone.
 * @param object the current version; undefined when there is none, and nobody's property is at stake
 */
export function mayDelete(
  scene: BucketScene,
  object: Pick<ObjectRecord, 'owner'> | undefined,
  versionId: string | undefined,
): boolean {
  if (scene.isOwner) return true
  if (versionId !== undefined || !mayUseBucket(scene, 'WRITE')) return false
  return object === undefined || object.owner === scene.requester
}

function groupsOf(bucket: BucketRecord): { readonly ignoreGroups: boolean } {
  return { ignoreGroups: publicAccessBlockOf(bucket).ignorePublicAcls }
}
