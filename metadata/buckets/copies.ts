import { LRUCache } from 'lru-cache'
import { BUCKET_COPIES_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BucketRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { LeaseBucketReply } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { freeze } from '../freeze.ts'
import { NamedLocks } from '../partition/locks.ts'
import type { BucketRecords } from './bucket-records.ts'

interface Copy {
  readonly bucket: BucketRecord
  /** Monotonic time. */
  readonly untilMs: number
  readonly renewAtMs: number
}

/** Copies of the records of buckets, each leased from whoever has the root. Of what is not there none is kept. */
export class BucketCopies implements BucketRecords {
  readonly #clock: Clock
  /** @throws {MetadataError} */
  readonly #lease: (name: string) => Promise<LeaseBucketReply>
  readonly #copies = new LRUCache<string, Copy>({ max: BUCKET_COPIES_MAX })
  readonly #locks = new NamedLocks()
  readonly #asking = new Map<string, Promise<BucketRecord | undefined>>()

  constructor(clock: Clock, lease: (name: string) => Promise<LeaseBucketReply>) {
    this.#clock = clock
    this.#lease = lease
  }

  read(name: string): BucketRecord | Promise<BucketRecord | undefined> {
    const copy = this.#copies.get(name)
    const now = this.#clock.monotonicMs()
    if (copy === undefined || now >= copy.untilMs) return this.#ask(name)
    if (now >= copy.renewAtMs) void this.#ask(name).catch(() => undefined)
    return copy.bucket
  }

  async hold(name: string): Promise<() => void> {
    const release = await this.#locks.shared(name)
    try {
      await this.read(name)
      return release
    } catch (error) {
      release()
      throw error
    }
  }

  /** Gives a copy back: resolves when nothing that goes by it is being decided. */
  async revoke(name: string): Promise<void> {
    this.#copies.delete(name)
    const release = await this.#locks.exclusive(name)
    // One that was asked for meanwhile was given before it was called back.
    this.#copies.delete(name)
    this.#asking.delete(name)
    release()
  }

  /** Keeps a bucket from being decided about, by copies or without: its contents can be looked at. */
  exclusively(name: string): Promise<() => void> {
    return this.#locks.exclusive(name)
  }

  #ask(name: string): Promise<BucketRecord | undefined> {
    const asked = this.#asking.get(name)
    if (asked !== undefined) return asked
    const asking = this.#askRoot(name, () => this.#asking.get(name) === asking)
    this.#asking.set(name, asking)
    return asking
  }

  async #askRoot(name: string, counts: () => boolean): Promise<BucketRecord | undefined> {
    // The time runs from before the root gave it, so that it ends here before it does there.
    const sentMs = this.#clock.monotonicMs()
    try {
      const { bucket, leaseMs } = await this.#lease(name).catch((error: unknown) => {
        throw isUnavailable(error) ? notLeased(error) : error
      })
      if (bucket === undefined) {
        if (counts()) this.#copies.delete(name)
        return undefined
      }
      const record = freeze(bucket)
      const copy = { bucket: record, untilMs: sentMs + leaseMs, renewAtMs: sentMs + leaseMs / 2 }
      if (counts()) this.#copies.set(name, copy)
      return record
    } finally {
      if (counts()) this.#asking.delete(name)
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE
}

/** Nothing was decided yet: whoever asked may ask again, until the root has an owner that answers. */
function notLeased(cause: unknown): MetadataError {
  return new MetadataError(FailureCode.NOT_MINE, 'nobody tells of the bucket now', {}, { cause })
}
