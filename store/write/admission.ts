/** Asks metadata, before the bytes of a write are moved, whether it would be taken. */

import {
  ADMISSION_ASK_BYTES,
  ADMISSION_REFUSED_BUCKETS_MAX,
  ADMISSION_REFUSED_MS,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

/** What a commit brings that did not ask. */
const UNASKED = 0n

/**
 * A content that is small is written unasked, for its commit follows at once; a large one asks first. After a write of a bucket was
 * refused for load, all of that bucket ask for a while: so an overload costs each of them a short question, and not shards that are
 * written, synced and removed again.
 */
export class WriteAdmission {
  readonly #metadata: MetadataApi
  readonly #clock: Clock
  /** Buckets, the last refused last, and the monotonic milliseconds until which they count as refused. */
  readonly #refused = new Map<string, number>()

  constructor(metadata: MetadataApi, clock: Clock) {
    this.#metadata = metadata
    this.#clock = clock
  }

  /**
   * @param size bytes of the content
   * @returns what the commit is to bring
   * @throws {MetadataError} SLOW_DOWN, and whatever else is already known to refuse it; nothing was done
   */
  async ask(
    { bucket, key }: { readonly bucket: string; readonly key: string },
    size: number,
    signal?: AbortSignal,
  ): Promise<bigint> {
    // Of no bytes nothing is moved: the commit itself is the question.
    if (size === 0 || (size <= ADMISSION_ASK_BYTES && !this.#isRefused(bucket))) return UNASKED
    try {
      return (await this.#metadata.call('admitWrite', { bucket, key }, signal)).admission
    } catch (error) {
      // A metadata process of an earlier release does not know the question; its commit decides.
      if (error instanceof MetadataError && error.code === FailureCode.INVALID_REQUEST) return UNASKED
      throw error
    }
  }

  /** A write of the bucket was refused for load. */
  refused(bucket: string): void {
    this.#refused.delete(bucket)
    this.#refused.set(bucket, this.#clock.monotonicMs() + ADMISSION_REFUSED_MS)
    if (this.#refused.size <= ADMISSION_REFUSED_BUCKETS_MAX) return
    const [oldest = ''] = this.#refused.keys()
    this.#refused.delete(oldest)
  }

  #isRefused(bucket: string): boolean {
    const untilMs = this.#refused.get(bucket)
    if (untilMs === undefined) return false
    if (this.#clock.monotonicMs() < untilMs) return true
    this.#refused.delete(bucket)
    return false
  }
}
