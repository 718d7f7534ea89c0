import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** The records of buckets as partitions see them, which hold objects and no buckets. */
export interface BucketRecords {
  /**
   * Durable, and as new as any that anybody was told of; at once where it is in memory. Frozen.
   * @throws {MetadataError} NOT_MINE, at once or later: it cannot be told now
   */
  read(name: string): BucketRecord | undefined | Promise<BucketRecord | undefined>
  /**
   * Keeps a bucket as it is, or away where there is none, until the function returned is called: {@link read} answers the same
   * meanwhile.
   * @throws {MetadataError} NOT_MINE
   */
  hold(name: string): Promise<() => void>
}
