import type { BucketRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'

/**
 * The bucket's record. Asked for before a body is read, so that a client learns that there is no such bucket before it
 * sends five gigabytes to it.
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function findBucket(
  metadata: MetadataApi,
  name: string,
  signal: AbortSignal,
): Promise<BucketRecord> {
  const { bucket } = await metadata.call('getBucket', { name }, signal)
  if (bucket === undefined) throw new Error('metadata answered without the bucket')
  return bucket
}
