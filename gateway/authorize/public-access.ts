/**
 * Block Public Access, as far as lists are concerned. Nothing is blocked: the settings themselves belong to the access
 * control to come, which fills in this function; whoever decides about a list asks it already.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
 */
import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../errors/s3-error.ts'
import { isPublic, type AclInit } from '../rules/acl/grants.ts'

export interface PublicAccessBlock {
  /** Requests that would make a bucket or an object public are refused. */
  readonly blockPublicAcls: boolean
  /** Grants to everybody, and to every account, count for nothing. */
  readonly ignorePublicAcls: boolean
}

const nothingBlocked: PublicAccessBlock = { blockPublicAcls: false, ignorePublicAcls: false }

/** @throws {S3Error} AccessDenied for a list that would make a bucket, or what is in it, public where that is blocked */
export function refusePublicAcl(bucket: BucketRecord, acl: AclInit): void {
  if (publicAccessBlockOf(bucket).blockPublicAcls && isPublic(acl)) throw new S3Error('AccessDenied')
}

/** What is blocked in a bucket. */
export function publicAccessBlockOf(_bucket: BucketRecord): PublicAccessBlock {
  return nothingBlocked
}
