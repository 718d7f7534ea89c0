/**
 * Conditions on writes. They are decided inside the commit, by the owner of the key (core/records/conditions.ts); here
 * they are only read.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
import { S3Error } from '../errors/s3-error.ts'
import { bareEntityTag } from './conditions.ts'

export interface WriteConditions {
  /** At most one entity tag, without quotes. */
  readonly ifMatch: string[]
  readonly ifNoneMatchAny: boolean
}

/**
 * S3 takes one of `If-Match: <etag>` and `If-None-Match: *`. Anything else, both together included, is refused as
 * not implemented, with the header named and a reason in `additionalMessage`.
 * @throws {S3Error} NotImplemented
 */
export function readWriteConditions({
  IfMatch,
  IfNoneMatch,
}: {
  readonly IfMatch?: string | undefined
  readonly IfNoneMatch?: string | undefined
}): WriteConditions {
  if (IfMatch !== undefined && IfNoneMatch !== undefined) {
    throw refuse('If-Match,If-None-Match', 'Multiple conditional request headers present in the request')
  }
  if (IfNoneMatch !== undefined && IfNoneMatch.trim() !== '*') throw refuseValue('If-None-Match')
  if (IfMatch?.trim() === '*') throw refuseValue('If-Match')
  return {
    ifMatch: IfMatch === undefined ? [] : [bareEntityTag(IfMatch)],
    ifNoneMatchAny: IfNoneMatch !== undefined,
  }
}

const refuseValue = (header: string) =>
  refuse(header, `We don't accept the provided value of ${header} header for this API`)

function refuse(header: string, additionalMessage: string): S3Error {
  return new S3Error('NotImplemented', {
    message: 'A header you provided implies functionality that is not implemented',
    fields: { Header: header, additionalMessage },
  })
}
