/** What runs the work on stripes, whether a thread or the event loop. */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import type { EncodeJob, ReconstructJob } from './messages.ts'

/** Progress of one stripe. Both reject with ComputeError; once `hashed` settles, nothing touches the slot. */
export interface StripeProgress {
  /** Parity and block checksums are in the slot. */
  readonly encoded: Promise<void>
  /** The digests have passed over the data. */
  readonly hashed: Promise<void>
}

/** The stripes of one content, whose digests are sequential: all on one thread, in the order given. */
export interface ContentWork {
  encode(job: EncodeJob): StripeProgress
  /** The digests of all stripes, in the order asked for. Ends the work. */
  finish(): Promise<readonly Uint8Array[]>
  /** Gives up; harmless after `finish`. */
  drop(): void
}

/** One thread's worth of work; what {@link Compute} chooses from. */
export interface ComputeHost {
  /** Orders not yet answered, for choosing the least busy. */
  readonly pending: number
  open(digests: readonly ChecksumAlgorithm[]): ContentWork
  reconstruct(job: ReconstructJob): Promise<void>
  /** Fails what is pending, and resolves when the thread has ended. */
  close(): Promise<void>
}
