import type { ListObjectsCommandInput, ListObjectsCommandOutput } from '@aws-sdk/client-s3'
import { listPage } from './listing.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
 * `NextMarker` is in the answer only with a delimiter; without one, clients go on after the last key.
 */
export function listObjects({
  store,
}: S3Services): S3Handler<ListObjectsCommandInput, ListObjectsCommandOutput> {
  return async (input, { signal }) => {
    const { Marker = '' } = input
    const page = await listPage(store.metadata, input, { after: Marker, owners: true }, signal)
    const { members, next, encode } = page
    return {
      ...members,
      Marker: encode(Marker),
      ...(next === undefined || members.Delimiter === undefined ? {} : { NextMarker: encode(next) }),
    }
  }
}
