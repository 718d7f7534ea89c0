/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html */
import { ObjectOwnership, type BucketRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../../errors/s3-error.ts'
import { isOwnerOnly, type AclInit } from './grants.ts'
import type { RequestedAcl } from './requested.ts'

type OwnedBucket = Pick<BucketRecord, 'owner' | 'objectOwnership'>

/** Whether lists mean anything in the bucket. */
export function hasAcls({ objectOwnership }: Pick<BucketRecord, 'objectOwnership'>): boolean {
  return objectOwnership !== ObjectOwnership.BUCKET_OWNER_ENFORCED
}

/** Who owns an object of the bucket now: where lists are disabled its bucket's owner, whoever wrote it. */
export function ownerOf(bucket: OwnedBucket, object: { readonly owner: string }): string {
  return hasAcls(bucket) ? object.owner : bucket.owner
}

/** Canonical id of the account that began an upload. Its object's owner may be another: the bucket's, if the writer so asked. */
export function initiatorOf(upload: { readonly initiator: string; readonly owner: string }): string {
  return upload.initiator === '' ? upload.owner : upload.initiator
}

export interface NewObject {
  /** Canonical id. */
  readonly owner: string
  /** Undefined: nobody but the owner. */
  readonly acl: AclInit | undefined
}

/**
 * Who owns a new object, and its list. Under BucketOwnerPreferred the bucket's owner gets it if the writer asks for the
 * canned `bucket-owner-full-control`.
 * @param writer canonical id
 * @throws {S3Error} AccessControlListNotSupported where lists are disabled and one is asked for that says more than that
 *   the bucket's owner has full control
 */
export function newObject(
  bucket: OwnedBucket,
  writer: string,
  requested: RequestedAcl | undefined,
): NewObject {
  if (!hasAcls(bucket)) {
    requireNoAcl(bucket, requested)
    return { owner: bucket.owner, acl: undefined }
  }
  const givenAway =
    bucket.objectOwnership === ObjectOwnership.BUCKET_OWNER_PREFERRED &&
    requested?.canned === 'bucket-owner-full-control'
  const owner = givenAway ? bucket.owner : writer
  const acl = requested?.resolve(owner, bucket.owner)
  return {
    owner,
    acl: acl === undefined || (requested?.canned !== undefined && isOwnerOnly(acl, owner)) ? undefined : acl,
  }
}

function requireNoAcl({ owner }: OwnedBucket, requested: RequestedAcl | undefined): void {
  if (requested === undefined || requested.canned === 'bucket-owner-full-control') return
  const acl = requested.resolve(owner, owner)
  if (requested.canned === undefined && acl.grants.length > 0 && isOwnerOnly(acl, owner)) return
  throw new S3Error('AccessControlListNotSupported')
}
