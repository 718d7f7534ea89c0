import type { GetObjectTaggingCommandInput, GetObjectTaggingCommandOutput } from '@aws-sdk/client-s3'
import { findObject, refuseAtMarker } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
 * An object without tags has an empty set, unlike a bucket, which is NoSuchTagSet. In which order a set comes is not
 * documented; chosen: by key, which is what ceph/s3-tests expects of the service.
 */
export function getObjectTagging({
  store: { metadata },
}: S3Services): S3Handler<GetObjectTaggingCommandInput, GetObjectTaggingCommandOutput> {
  return async (input, context) => {
    const found = findObject(metadata, input, 'GET', context)
    const { record, version } = await found.catch(refuseAtMarker('GET'))
    const tags = record.tags.toSorted((a, b) => (a.key < b.key ? -1 : 1))
    return { ...version, TagSet: tags.map(({ key, value }) => ({ Key: key, Value: value })) }
  }
}
