import { ETCD_QUOTA_FULL_SHARE, METADATA_RESERVE_BYTES, METADATA_SPACE_LOOK_MS } from '../core/limits.ts'
import { FailureCode, type Request } from '../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../proto/metadata-api.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Engine } from './engine/engine.ts'

/**
 * Operations that add records. Those that take some away are let through on a full disk, for they are the way out; of a
 * delete only the decision knows whether it makes a delete marker.
 */
const ADDING: ReadonlySet<Request['operation']['case']> = new Set([
  'createBucket',
  'putBucketSetting',
  'admitWrite',
  'commitObject',
  'updateObject',
  'createUpload',
  'commitPart',
  'completeUpload',
  'putAnnotation',
  'requestRepair',
  'changeCluster',
] as const)

/**
 * Refuses what the disk may have no room for. An engine that once failed to write can only be started again, for what it
 * left in its log is not known; so it must not come to that merely because a disk was full.
 */
export class Room {
  readonly #disk: Pick<Disk, 'space'>
  readonly #clock: Clock
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #freeBytes = Number.POSITIVE_INFINITY

  constructor(disk: Pick<Disk, 'space'>, clock: Clock) {
    this.#disk = disk
    this.#clock = clock
  }

  /**
   * Undefined where there is nothing to wait for, as for all that adds no records.
   * @throws {MetadataError} READ_ONLY, by the promise, when the operation adds records and the disk is nearly full
   */
  require(operation: Request['operation']['case']): Promise<void> | undefined {
    return ADDING.has(operation) ? this.requireMore() : undefined
  }

  /** @throws {MetadataError} READ_ONLY when the disk is nearly full */
  async requireMore(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#lookedAt >= METADATA_SPACE_LOOK_MS) {
      this.#looking ??= this.#look()
      await this.#looking
    }
    if (this.#freeBytes >= METADATA_RESERVE_BYTES) return
    throw new MetadataError(FailureCode.READ_ONLY, 'the disk of the metadata service is nearly full')
  }

  async #look(): Promise<void> {
    try {
      this.#freeBytes = (await this.#disk.space()).freeBytes
      this.#lookedAt = this.#clock.monotonicMs()
    } finally {
      this.#looking = undefined
    }
  }
}

/**
 * What {@link Room} asks, for an engine with a quota of its own: the reserve of a disk is left when the quota is full but for what
 * deletes need. Undefined where the engine has none.
 */
export function spaceOf(engine: Engine): Pick<Disk, 'space'> | undefined {
  if (engine.space === undefined) return undefined
  return {
    async space() {
      const { usedBytes, quotaBytes } = (await engine.space?.()) ?? { usedBytes: 0, quotaBytes: undefined }
      const full = quotaBytes === undefined ? Number.POSITIVE_INFINITY : quotaBytes * ETCD_QUOTA_FULL_SHARE
      return {
        freeBytes: full - usedBytes + METADATA_RESERVE_BYTES,
        totalBytes: quotaBytes ?? Number.POSITIVE_INFINITY,
      }
    },
  }
}
