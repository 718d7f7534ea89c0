import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { noSuchBucket } from '../failure.ts'
import type { Partition } from './partition.ts'

/** The bucket of keys of the partition; in a decision about one, as it stays until that is made. @throws {MetadataError} NO_SUCH_BUCKET */
export async function readBucket(partition: Partition, name: string): Promise<BucketRecord> {
  const bucket = await partition.buckets.read(name)
  if (bucket === undefined) throw noSuchBucket(name)
  return bucket
}
