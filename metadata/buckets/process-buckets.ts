import { BUCKET_COPIES_MAX } from '../../core/limits.ts'
import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { Gate } from '../host/gate.ts'
import type { BucketRecords } from './bucket-records.ts'
import type { BucketCopies } from './copies.ts'

/** The records of buckets for the partitions of a process: the root's own while it has the root, copies else. */
export class ProcessBuckets implements BucketRecords {
  readonly copies: BucketCopies
  /** Passed by those who go by the root's own: the root is given away when none is left. */
  readonly gate = new Gate()
  /** The oldest first. */
  readonly #owners = new Map<string, string>()
  readonly #own: () => BucketRecords | undefined

  /** @param own of the root, while this process has it */
  constructor(copies: BucketCopies, own: () => BucketRecords | undefined) {
    this.copies = copies
    this.#own = own
  }

  read(name: string): BucketRecord | undefined | Promise<BucketRecord | undefined> {
    const found = (this.#own() ?? this.copies).read(name)
    if (!(found instanceof Promise)) return this.#noted(name, found)
    return found.then((bucket) => this.#noted(name, bucket))
  }

  /** The account that owns a bucket, as far as it is in memory. */
  ownerOf(name: string): string | undefined {
    return this.#owners.get(name)
  }

  async hold(name: string): Promise<() => void> {
    if (this.#own() === undefined) return this.copies.hold(name)
    if (!this.gate.tryEnter()) await this.gate.enter()
    try {
      // It may have gone while the gate was held.
      const release = await (this.#own() ?? this.copies).hold(name)
      return () => {
        release()
        this.gate.leave()
      }
    } catch (error) {
      this.gate.leave()
      throw error
    }
  }

  #noted(name: string, bucket: BucketRecord | undefined): BucketRecord | undefined {
    if (bucket === undefined || this.#owners.get(name) === bucket.owner) return bucket
    const [oldest] = this.#owners.size < BUCKET_COPIES_MAX ? [] : this.#owners.keys()
    if (oldest !== undefined) this.#owners.delete(oldest)
    this.#owners.set(name, bucket.owner)
    return bucket
  }
}
