import { blobTimeMs, isCommittable, isOrphan } from '../../core/records/blob-age.ts'
import { BlobState, FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { GARBAGE_GRACE_MS } from '../../core/limits.ts'
import { invalidRequest } from '../failure.ts'
import { RecentGarbage } from './recent-garbage.ts'

const IDENTIFIER = /^[0-9a-f]{32}$/

/** What the cluster map says of blobs. */
export interface BlobRules {
  /** Whether blobs of this placement group may be committed. A commit that is told so is counted as made. */
  admits(group: number): boolean
}

/** What was lost by a restore and may yet be brought back. */
export interface BlobBrake {
  /** Whether the blob must be kept though no record names it. */
  keeps(id: string): boolean
}

/**
 * Keeps apart the blobs that may still be committed and those that a sweep may remove. A blob is one or the other for good:
 * ages are hours apart, and should the clock go back all the same, what was once called an orphan stays refused.
 *
 * Asked under the lock of the blob's key, whose decisions therefore come before or after.
 */
export class BlobGuard {
  readonly #clock: Clock
  readonly #recent: RecentGarbage
  #rules: BlobRules = { admits: () => true }
  #brake: BlobBrake = { keeps: () => false }
  /** Time of the newest blob that was called an orphan. */
  #orphansToMs = Number.NEGATIVE_INFINITY
  /** Monotonic time since which all that became garbage is known. */
  #knowsSinceMs = Number.NEGATIVE_INFINITY
  /** What became garbage is still being read. */
  #reading = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#recent = new RecentGarbage(clock)
  }

  /**
   * What became garbage before now is not all known, since it may lie in the outbox that the partition was cut from, or that of a
   * partition that was merged into it.
   * @param agoMs for how long it has been known
   */
  begin(agoMs = 0): void {
    this.#knowsSinceMs = this.#clock.monotonicMs() - agoMs
  }

  /** Until {@link endReading}, it is still being read what became garbage before. */
  beginReading(): void {
    this.#reading = true
  }

  endReading(): void {
    this.#reading = false
  }

  /** From now on; before, every group is taken for one that there is. */
  goBy(rules: BlobRules): void {
    this.#rules = rules
  }

  /** From now on: blobs that it keeps are never called orphans. */
  brakeBy(brake: BlobBrake): void {
    this.#brake = brake
  }

  /** @throws {MetadataError} STALE_BLOB; INVALID_REQUEST for what is no blob's id */
  assertCommittable(blob: BlobRecord | undefined): void {
    if (blob === undefined) return
    const { id, group } = blob
    if (!IDENTIFIER.test(id)) throw invalidRequest("the blob's id is not 32 lower-case hex digits")
    if (!isCommittable(id, this.#clock.nowMs()) || blobTimeMs(id) <= this.#orphansToMs) {
      throw staleBlob('the blob was begun too long ago, or by a clock that is ahead')
    }
    if (!this.#rules.admits(group)) throw staleBlob(`there is no placement group ${group}`)
  }

  /**
   * What is to be said of a blob that no record names. While it is not known what became garbage within the grace, nothing is
   * called an orphan: reads of it may still be under way.
   */
  judge(id: string): BlobState {
    if (this.#reading || this.#clock.monotonicMs() - this.#knowsSinceMs < GARBAGE_GRACE_MS) {
      return BlobState.YOUNG
    }
    if (!isOrphan(id, this.#clock.nowMs()) || this.#recent.has(id) || this.#brake.keeps(id)) {
      return BlobState.YOUNG
    }
    this.#orphansToMs = Math.max(this.#orphansToMs, blobTimeMs(id))
    return BlobState.ORPHAN
  }

  /** These have become garbage just now, or will have with what is in line. */
  discarded(blobs: readonly { readonly id?: string }[]): void {
    for (const { id } of blobs) if (id !== undefined) this.#recent.add(id)
  }
}

function staleBlob(message: string): MetadataError {
  return new MetadataError(FailureCode.STALE_BLOB, message)
}
