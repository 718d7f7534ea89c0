/**
 * What the threads say to each other. Stripes never travel: both sides name places in the shared memory.
 *
 * Orders of one content are carried out in the order sent. An `encode` is answered twice: `encoded` once parity and
 * block checksums are in the slot, so that the shards can leave while the digests still run, and `hashed` once the
 * digests have passed over the data and the slot is no longer read.
 */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import type { StripeSlot } from './stripe-slot.ts'

/** A stripe whose data is in its slot. What is left of the data shards after `dataBytes` is filled with zeros. */
export interface EncodeJob {
  /** Name of the code. */
  readonly code: string
  readonly slot: StripeSlot
  readonly dataBytes: number
}

/** Restore windows of lost shards, in place, from the same windows of others. */
export interface ReconstructJob {
  readonly code: string
  /** Here `shardBytes` is the length of the window. */
  readonly slot: StripeSlot
  readonly available: readonly number[]
  readonly wanted: readonly number[]
  /**
   * For shards that are to be kept: the wanted ones get their block checksums in the slot, and afterwards each of these
   * must hold, or the job fails.
   */
  readonly proofs?: readonly ShardProof[]
}

/** The shard, as it is in the slot, is what these others make it. */
export interface ShardProof {
  readonly shard: number
  readonly from: readonly number[]
}

export type Order =
  | { readonly type: 'open'; readonly content: number; readonly digests: readonly ChecksumAlgorithm[] }
  | { readonly type: 'encode'; readonly id: number; readonly content: number; readonly job: EncodeJob }
  | { readonly type: 'finish'; readonly id: number; readonly content: number }
  | { readonly type: 'drop'; readonly content: number }
  | { readonly type: 'reconstruct'; readonly id: number; readonly job: ReconstructJob }

export type Answer =
  | { readonly type: 'encoded'; readonly id: number }
  | { readonly type: 'hashed'; readonly id: number }
  /** Digests in the order in which they were asked for. */
  | { readonly type: 'finished'; readonly id: number; readonly digests: readonly Uint8Array[] }
  | { readonly type: 'reconstructed'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }

/** What a worker is started with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory
}
