import type { ListObjectsCommandInput, ListObjectsCommandOutput } from '@aws-sdk/client-s3'
import { listingStart } from '../../rules/listing-marker.ts'
import { listPage } from './listing.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
 * `NextMarker` is in the answer only with a delimiter; without one, clients go on after the last key. Nobody known is told
 * no owners (recorded of the service by LocalStack's `test_bucket_name_with_dots`).
 */
export function listObjects({
  store,
}: S3Services): S3Handler<ListObjectsCommandInput, ListObjectsCommandOutput> {
  return async (input, { sender, signal }) => {
    const { Marker = '', Prefix = '', Delimiter = '' } = input
    const after = listingStart(Marker, Prefix, Delimiter)
    const owners = sender.kind !== 'anonymous'
    const page = await listPage(store.metadata, input, { after, owners }, signal)
    const { members, next, encode } = page
    return {
      ...members,
      Marker: encode(Marker),
      ...(next === undefined || members.Delimiter === undefined ? {} : { NextMarker: encode(next) }),
    }
  }
}
