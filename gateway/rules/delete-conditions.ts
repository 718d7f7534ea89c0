/**
 * Conditions on deletes. They are decided inside the commit, against the current version (core/records/conditions.ts).
 *
 * General purpose buckets of AWS know `If-Match` alone; size and time of the last change are the directory buckets',
 * and mean here what they mean there: they hold where there is no object. Neither speaks about a version that is named:
 * AWS answers 501 to that (localstack issue 13894 records it).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
 */
import { S3Error } from '../errors/s3-error.ts'
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

/**
 * @param version the version to be deleted; empty: the current one
 * @throws {S3Error} NotImplemented, InvalidArgument for a negative size or a time before 1970
 */
export function readDeleteConditions(input: DeleteConditionInput, version: string): DeleteConditions {
  const { ifMatch, size, lastModified } = input
  if (version !== '') {
    if (ifMatch !== undefined) throw refuse('If-Match')
    if (size !== undefined) throw refuse('x-amz-if-match-size')
    if (lastModified !== undefined) throw refuse('x-amz-if-match-last-modified-time')
  }
  if ((size ?? 0) < 0 || (lastModified?.getTime() ?? 0) < 0) {
    throw new S3Error('InvalidArgument')
  }
  return {
    ifMatch: ifMatch === undefined ? [] : entityTags(ifMatch),
    ...(size === undefined ? {} : { ifMatchSize: BigInt(size) }),
    ...(lastModified === undefined ? {} : { ifMatchLastModifiedMs: BigInt(lastModified.getTime()) }),
  }
}

function refuse(header: string): S3Error {
  return new S3Error('NotImplemented', {
    message: 'A header you provided implies functionality that is not implemented',
    fields: { Header: header },
  })
}
