/**
 * Where the parts of one stripe lie in the memory that all threads share.
 *
 *     at            + stride                 …              sumsAt
 *     | shard 0     | shard 1     | …        | shard n-1    | CRC32C of shard 0's blocks, of shard 1's, … |
 *
 * `n` is all shards of a stripe; for replicas it is 1, since every copy is the same bytes. The stride is the kernel's
 * own (see core/erasure/memory.ts). A checksum covers SHARD_BLOCK_BYTES of its shard, the last one what is left.
 */

import type { Code } from '../../core/erasure/code.ts'
import { shardStride } from '../../core/erasure/memory.ts'
import { SHARD_ALIGN, SHARD_BLOCK_BYTES } from '../../core/limits.ts'

/** One stripe in memory; offsets and sizes in bytes. Plain numbers, so that it is cheap to post to a thread. */
export interface StripeSlot {
  readonly at: number
  readonly shardBytes: number
  readonly stride: number
  readonly sumsAt: number
}

/** Bytes that a stripe of `code` with shards of `shardBytes` occupies, a multiple of SHARD_ALIGN. */
export function stripeSlotBytes(code: Code, shardBytes: number): number {
  const sums = shardsHeld(code) * blocksOf(shardBytes) * Uint32Array.BYTES_PER_ELEMENT
  return alignUp(sumsOffset(code, shardBytes) + sums)
}

/** The slot at offset `at` (a multiple of 4). */
export function stripeSlot(code: Code, at: number, shardBytes: number): StripeSlot {
  return { at, shardBytes, stride: shardStride(shardBytes), sumsAt: at + sumsOffset(code, shardBytes) }
}

/** Shards of a stripe that are kept apart in memory. */
export function shardsHeld(code: Code): number {
  return code.kind === 'replica' ? 1 : code.total
}

/** Where shard `shard` starts: copies of a replica all start at the same place. */
export function shardAt(code: Code, slot: StripeSlot, shard: number): number {
  return code.kind === 'replica' ? slot.at : slot.at + shard * slot.stride
}

/** The bytes of a shard. */
export function shardView(
  memory: WebAssembly.Memory,
  code: Code,
  slot: StripeSlot,
  shard: number,
): Uint8Array {
  return new Uint8Array(memory.buffer, shardAt(code, slot, shard), slot.shardBytes)
}

/** The block checksums of a shard. */
export function sumsView(
  memory: WebAssembly.Memory,
  code: Code,
  slot: StripeSlot,
  shard: number,
): Uint32Array {
  const blocks = blocksOf(slot.shardBytes)
  const index = code.kind === 'replica' ? 0 : shard
  return new Uint32Array(memory.buffer, slot.sumsAt + index * blocks * Uint32Array.BYTES_PER_ELEMENT, blocks)
}

function blocksOf(shardBytes: number): number {
  return Math.ceil(shardBytes / SHARD_BLOCK_BYTES)
}

/** Checksums are read as 32-bit words, so they start at a multiple of 4; replicas may have shards of any size. */
function sumsOffset(code: Code, shardBytes: number): number {
  return Math.ceil((shardsHeld(code) * shardStride(shardBytes)) / 4) * 4
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / SHARD_ALIGN) * SHARD_ALIGN
}
