import { comparePositions } from '../../core/keyspace/partitions.ts'
import { BUCKET_CONTENTS_MS_MAX, PARTITION_HOLD_MS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type ProbeBucketReply,
  ProbeBucketReplySchema,
  type ProbeBucketRequest,
} from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { create } from '@bufbuild/protobuf'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { PartitionTable } from '../../runtime/metadata-client/partition-table.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { BucketContents } from '../buckets/buckets.ts'
import type { BucketCopies } from '../buckets/copies.ts'
import type { BucketGrants } from '../buckets/grants.ts'
import type { PartitionMaps } from '../coordination/partition-maps.ts'
import { isBucketEmpty } from '../partition/probe-bucket.ts'
import { abortUploadsOf } from '../partition/purge.ts'
import type { OwnedPartition } from './owned.ts'
import type { Peers } from './peers.ts'

/** Between two attempts to ask all partitions of a bucket. */
const PAUSE_MS = 50

export interface ContentsOptions {
  readonly self: string
  readonly maps: PartitionMaps
  readonly table: () => PartitionTable
  readonly served: () => readonly OwnedPartition[]
  readonly copies: BucketCopies
  readonly peers: Peers
  readonly clock: Clock
}

/** Asks the partitions of this process about a bucket, for whoever has the root. */
export class LocalContents {
  readonly #options: ContentsOptions

  constructor(options: ContentsOptions) {
    this.#options = options
  }

  /**
   * Answers for all partitions of the bucket that this process has by the map given.
   * @throws {MetadataError} NOT_MINE when the map is another, or not all of them are open
   */
  async probe(request: ProbeBucketRequest): Promise<ProbeBucketReply> {
    const { table, served, self, copies, clock } = this.#options
    const wanted = overlapping(table(), request.name).filter(({ owner }) => owner === self)
    const found = served().filter(({ range }) => wanted.some(({ id }) => id === range.id))
    if (found.length !== wanted.length) throw notMine('not all partitions of the bucket are open here')
    const entered: OwnedPartition[] = []
    let release: (() => void) | undefined
    try {
      // The gates first: what is being decided inside them goes by copies, and a change of a partition waits for it.
      for (const owned of found) {
        if (!(await owned.gate.enterWithin(clock, PARTITION_HOLD_MS_MAX))) {
          throw notMine('a partition of the bucket is being changed')
        }
        entered.push(owned)
      }
      release = await copies.exclusively(request.name)
      // Inside the gates no range changes: by this very map all of the bucket that is here is asked.
      if (table().version !== request.mapVersion || found.some(({ dropped }) => dropped)) {
        throw notMine('the partition map is another here')
      }
      if (request.settle) {
        await Promise.all(found.map(({ partition }) => partition.settled()))
        return create(ProbeBucketReplySchema)
      }
      if (request.abortUploads) {
        for (const { partition } of found) {
          await abortUploadsOf(partition, request.name)
          await partition.settled()
        }
        return create(ProbeBucketReplySchema, { empty: true })
      }
      const empty = await Promise.all(found.map(({ partition }) => isBucketEmpty(partition, request.name)))
      return create(ProbeBucketReplySchema, { empty: empty.every(Boolean) })
    } finally {
      release?.()
      for (const { gate } of entered) gate.leave()
    }
  }
}

/** Asks all partitions about a bucket, wherever they are. */
export class RootContents implements BucketContents {
  readonly #options: ContentsOptions
  readonly #local: LocalContents
  readonly #grants: BucketGrants

  constructor(options: ContentsOptions, local: LocalContents, grants: BucketGrants) {
    this.#options = options
    this.#local = local
    this.#grants = grants
  }

  recall(name: string): Promise<void> {
    return this.#grants.recall(name)
  }

  isEmpty(name: string): Promise<boolean> {
    return this.#ask(name, {})
  }

  async abortUploads(name: string): Promise<void> {
    await this.#ask(name, { abortUploads: true })
  }

  async settle(name: string): Promise<void> {
    await this.#ask(name, { settle: true })
  }

  async #ask(name: string, what: { abortUploads?: boolean; settle?: boolean }): Promise<boolean> {
    const { maps, table, self, peers, clock } = this.#options
    const untilMs = clock.monotonicMs() + BUCKET_CONTENTS_MS_MAX
    for (;;) {
      try {
        const mapVersion = table().version
        const owners = new Set(overlapping(table(), name).map(({ owner }) => owner))
        if (owners.has('')) throw notMine('a partition of the bucket has no owner yet')
        const request = { name, abortUploads: false, settle: false, ...what, mapVersion }
        const replies = await Promise.all(
          [...owners].map((owner) =>
            owner === self
              ? this.#local.probe({ ...request, $typeName: 'ashlar.v1.ProbeBucketRequest' })
              : peers.call(owner, 'probeBucket', request),
          ),
        )
        return replies.every(({ empty }) => empty)
      } catch (error) {
        // Asked twice it answers the same; who does not answer may be dead, and its partitions be given to others.
        const again =
          error instanceof MetadataError &&
          (error.code === FailureCode.NOT_MINE || error.code === FailureCode.UNAVAILABLE)
        if (!again || clock.monotonicMs() >= untilMs) {
          const message = `the partitions of bucket ${name} cannot all be asked now`
          throw new MetadataError(FailureCode.UNAVAILABLE, message, {}, { cause: error })
        }
      }
      await clock.sleep(PAUSE_MS)
      await maps.refresh()
    }
  }
}

/** The partitions that may hold something of a bucket. */
function overlapping(table: PartitionTable, bucket: string): PartitionTable['partitions'] {
  const first = { bucket, key: '' }
  // No bucket's name sorts between a name and the same followed by NUL.
  const last = { bucket: `${bucket}\0`, key: '' }
  return table.partitions.filter(
    ({ start, end }) =>
      comparePositions(start, last) < 0 && (end === undefined || comparePositions(first, end) < 0),
  )
}

function notMine(message: string): MetadataError {
  return new MetadataError(FailureCode.NOT_MINE, message)
}
