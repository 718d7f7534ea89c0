import { bucketKey } from '../../core/keyspace/keys.ts'
import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Partition } from '../partition/partition.ts'
import { bucketKind } from '../records.ts'
import type { BucketRecords } from './bucket-records.ts'

/** The records of buckets in the process that has the root. */
export class OwnBuckets implements BucketRecords {
  readonly #root: Partition
  /** The bucket asked for last, and where it lies: most requests are for the same few, and making the key costs as much as the look-up. */
  #last = { name: '', key: bucketKey('') }

  constructor(root: Partition) {
    this.#root = root
  }

  read(name: string): BucketRecord | undefined | Promise<BucketRecord | undefined> {
    return this.#root.lookUp(bucketKind, this.#keyOf(name))
  }

  async hold(name: string): Promise<() => void> {
    const release = await this.#root.holdBucket(name)
    // A change that is not durable yet may still be undone by a crash: nothing may be built on it.
    if (this.#root.hasPending(this.#keyOf(name))) {
      try {
        await this.#root.settled()
      } catch (error) {
        release()
        throw error
      }
    }
    return release
  }

  #keyOf(name: string): Uint8Array {
    if (name !== this.#last.name) this.#last = { name, key: bucketKey(name) }
    return this.#last.key
  }
}
