import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { formatContinuationToken, parseContinuationToken } from '../../rules/continuation-token.ts'
import { listPage } from './listing.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 * A continuation token outweighs `start-after`; both are echoed.
 */
export function listObjectsV2({
  store,
}: S3Services): S3Handler<ListObjectsV2CommandInput, ListObjectsV2CommandOutput> {
  return async (input, { signal }) => {
    const { ContinuationToken, StartAfter, FetchOwner } = input
    const after =
      ContinuationToken === undefined ? (StartAfter ?? '') : parseContinuationToken(ContinuationToken)
    const owners = FetchOwner === true
    const { members, count, next, encode } = await listPage(store.metadata, input, { after, owners }, signal)
    return {
      ...members,
      KeyCount: count,
      ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      ...(next === undefined ? {} : { NextContinuationToken: formatContinuationToken(next) }),
      ...(StartAfter === undefined ? {} : { StartAfter: encode(StartAfter) }),
    }
  }
}
