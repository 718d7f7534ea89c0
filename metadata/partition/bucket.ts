import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { noSuchBucket } from '../failure.ts'
import type { Partition } from './partition.ts'

/** The bucket of keys of the partition; in a decision about one, as it stays until that is made. @throws {MetadataError} NO_SUCH_BUCKET */
export async function readBucket(partition: Partition, name: string): Promise<BucketRecord> {
  return lookUpBucket(partition, name)
}

/** The same, at once where it is in memory. @throws {MetadataError} NO_SUCH_BUCKET, at once or later */
export function lookUpBucket(partition: Partition, name: string): BucketRecord | Promise<BucketRecord> {
  const found = partition.buckets.read(name)
  return found instanceof Promise ? found.then((bucket) => bucketOf(name, bucket)) : bucketOf(name, found)
}

function bucketOf(name: string, bucket: BucketRecord | undefined): BucketRecord {
  if (bucket === undefined) throw noSuchBucket(name)
  return bucket
}
