import { BUCKET_COPY_LEASE_MS, BUCKET_COPY_WAIT_MS } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type LeaseBucketReply,
  LeaseBucketReplySchema,
  type LeaseBucketRequest,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { create } from '@bufbuild/protobuf'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { BucketRecords } from './bucket-records.ts'

export interface BucketGrantsOptions {
  /** The root's own. */
  readonly buckets: BucketRecords
  readonly clock: Clock
  /** No other process has ever had a copy. */
  readonly alone: boolean
  /** Asks a holder to give a copy back; resolves when nothing goes by it any more. */
  readonly revoke: (holder: string, name: string) => Promise<void>
}

/**
 * The copies of bucket records that other processes hold, each for a time. Before a bucket is changed all are called back; one whose
 * holder does not answer is waited for until its time is over. Copies that an owner of the root before gave out are not known: nothing
 * is changed until their time is over, too.
 */
export class BucketGrants {
  readonly #options: BucketGrantsOptions
  /** By bucket, then by holder: monotonic time until which it may hold its copy. */
  readonly #holders = new Map<string, Map<string, number>>()
  readonly #unknownUntilMs: number
  #grants = 0

  constructor(options: BucketGrantsOptions) {
    this.#options = options
    this.#unknownUntilMs = options.alone
      ? Number.NEGATIVE_INFINITY
      : options.clock.monotonicMs() + BUCKET_COPY_LEASE_MS
  }

  /** @throws {MetadataError} NOT_MINE while the bucket is being changed: asked again a little later, it answers */
  async lease({ name, holder }: LeaseBucketRequest): Promise<LeaseBucketReply> {
    const { buckets, clock } = this.#options
    const holding = buckets.hold(name)
    const late = Promise.withResolvers<'late'>()
    const cancel = clock.after(BUCKET_COPY_WAIT_MS, () => {
      late.resolve('late')
    })
    const release = await Promise.race([holding, late.promise])
    cancel()
    if (release === 'late') {
      void holding.then(
        (held) => {
          held()
        },
        () => undefined,
      )
      throw new MetadataError(FailureCode.NOT_MINE, `the bucket ${name} is being changed`)
    }
    try {
      const bucket = await buckets.read(name)
      if (bucket === undefined) return create(LeaseBucketReplySchema)
      this.#grant(name, holder)
      return create(LeaseBucketReplySchema, { bucket, leaseMs: BUCKET_COPY_LEASE_MS })
    } finally {
      release()
    }
  }

  /** Resolves when nobody goes by a copy of the bucket's record. The bucket is locked: none is given out meanwhile. */
  async recall(name: string): Promise<void> {
    const { clock, revoke } = this.#options
    const holders = this.#holders.get(name) ?? new Map<string, number>()
    await Promise.all(
      [...holders].map(async ([holder, untilMs]) => {
        const leftMs = untilMs - clock.monotonicMs()
        if (leftMs <= 0) return
        const over = clock.sleep(leftMs)
        await Promise.race([revoke(holder, name).catch(() => over), over])
      }),
    )
    this.#holders.delete(name)
    const unknownMs = this.#unknownUntilMs - clock.monotonicMs()
    if (unknownMs > 0) await clock.sleep(unknownMs)
  }

  #grant(name: string, holder: string): void {
    const { clock } = this.#options
    const now = clock.monotonicMs()
    const holders = this.#holders.get(name) ?? new Map<string, number>()
    holders.set(holder, now + BUCKET_COPY_LEASE_MS)
    this.#holders.set(name, holders)
    if (++this.#grants % 1024 !== 0) return
    for (const [bucket, each] of this.#holders) {
      for (const [one, untilMs] of each) if (untilMs <= now) each.delete(one)
      if (each.size === 0) this.#holders.delete(bucket)
    }
  }
}
