/**
 * Conditions on deletes. They are decided inside the commit, against what is to be deleted (core/records/conditions.ts).
 *
 * General purpose buckets of AWS know `If-Match` alone; size and time of the last change are the directory buckets', and
 * mean here what they mean there: they hold where there is no object.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
 */
import { invalidArgument } from '../errors/s3-error.ts'
import { entityTags } from './conditions.ts'

export interface DeleteConditionInput {
  readonly ifMatch?: string | undefined
  /** Bytes. */
  readonly size?: number | undefined
  readonly lastModified?: Date | undefined
}

/** The fields of WriteConditions in metadata.proto. */
export interface DeleteConditions {
  readonly ifMatch: string[]
  readonly ifMatchSize?: bigint
  readonly ifMatchLastModifiedMs?: bigint
}

/** @throws {S3Error} InvalidArgument for a size below 0 or a time before 1970, which no object has */
export function readDeleteConditions(input: DeleteConditionInput): DeleteConditions {
  const { ifMatch, size, lastModified } = input
  if (size !== undefined && size < 0) throw invalidArgument('x-amz-if-match-size', String(size))
  if (lastModified !== undefined && lastModified.getTime() < 0) {
    throw invalidArgument('x-amz-if-match-last-modified-time', lastModified.toISOString())
  }
  return {
    ifMatch: ifMatch === undefined ? [] : entityTags(ifMatch),
    ...(size === undefined ? {} : { ifMatchSize: BigInt(size) }),
    ...(lastModified === undefined ? {} : { ifMatchLastModifiedMs: BigInt(lastModified.getTime()) }),
  }
}
