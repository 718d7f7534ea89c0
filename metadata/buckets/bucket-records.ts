import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'

/** The records of buckets as partitions see them, which hold objects and no buckets. */
export interface BucketRecords {
  /** Durable, and as new as any that anybody was told of. Frozen. @throws {MetadataError} NOT_MINE: it cannot be told now */
  read(name: string): Promise<BucketRecord | undefined>
  /**
   * Keeps a bucket as it is, or away where there is none, until the function returned is called: {@link read} answers the same
   * meanwhile.
   * @throws {MetadataError} NOT_MINE
   */
  hold(name: string): Promise<() => void>
}
