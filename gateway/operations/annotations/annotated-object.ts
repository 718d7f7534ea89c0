/** The object that annotations belong to: the condition on it, and how answers name its version. */
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../../errors/s3-error.ts'
import { bareEntityTag, preconditionFailed } from '../../rules/conditions.ts'
import type { FoundObject } from '../objects/find-object.ts'

/** ETag without quotes, or `*`, of `x-amz-object-if-match`; undefined: no condition. */
export function readObjectIfMatch(input: {
  readonly ObjectIfMatch?: string | undefined
}): string | undefined {
  return input.ObjectIfMatch === undefined ? undefined : bareEntityTag(input.ObjectIfMatch)
}

/** @throws {S3Error} PreconditionFailed */
export function requireObjectMatch(ifMatch: string | undefined, { etag }: ObjectRecord): void {
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== etag) {
    throw preconditionFailed('x-amz-object-if-match')
  }
}

/** `x-amz-object-version-id`: where `x-amz-version-id` of a read is told. Not documented when; chosen as that. */
export function objectVersionId({ VersionId }: FoundObject['version']): { ObjectVersionId?: string } {
  return VersionId === undefined ? {} : { ObjectVersionId: VersionId }
}

/**
 * That the annotations are of the object which the sender was found to be allowed to read: without a version id, another may
 * have come in its place meanwhile. Whoever asks again is judged by the other one.
 * @throws {S3Error} ServiceUnavailable, which every SDK retries
 */
export function requireSameVersion(judged: ObjectRecord, read: ObjectRecord): void {
  if (judged.version !== read.version) throw new S3Error('ServiceUnavailable')
}
