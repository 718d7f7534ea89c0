/**
 * Where shards lie in WebAssembly memory.
 *
 * A **slot** holds one stripe: shard `i` (data first, then parity) starts `i × stride` bytes after the slot. The stripe's data
 * is written where it is encoded, shard by shard, and every shard is sent from where it lies. Who uses which slot when is the
 * caller's affair: the kernel knows offsets only, touches nothing but the shards it is given, and keeps nothing in this memory.
 *
 *     slot                    + stride                + 2·stride            …  + total·stride
 *     | shard 0 | pad (256 B) | shard 1 | pad (256 B) | …  | shard total-1 | pad (256 B) |
 *
 * Shards need no alignment. The memory may be shared between threads, each with a kernel of its own.
 */

import type { Code } from './code.ts'

/**
 * Bytes between the shards of a slot. Shards a power of two apart fall into the same sets of the caches, which have 12 or 16
 * ways, fewer than the streams of a wide code: 256 bytes set them apart (measured: 3 % at 4+2, 12 % at 10+4 with 1 MiB shards).
 */
const STRIDE_PADDING = 256

/** Bytes of a WebAssembly page. */
const PAGE = 65536

/** From one shard of a slot to the next, for shards of up to `shardBytes`. */
export function shardStride(shardBytes: number): number {
  return shardBytes + STRIDE_PADDING
}

/** Bytes of a slot for a stripe of `code` with shards of up to `shardBytes`. */
export function slotBytes(code: Code, shardBytes: number): number {
  return code.total * shardStride(shardBytes)
}

/** The offsets of the `total` shards of the slot at `slot`. */
export function shardOffsets(code: Code, slot: number, stride: number): number[] {
  return Array.from({ length: code.total }, (_, i) => slot + i * stride)
}

/**
 * A memory of at least `bytes` bytes (at most 4 GiB), zeroed, of fixed size.
 *
 * @param options.shared whether other threads can have it (default true): a shared one costs the kernel nothing.
 * @throws {RangeError} when the system has no room for it.
 */
export function createStripeMemory(
  bytes: number,
  options: { readonly shared?: boolean } = {},
): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE)
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: options.shared ?? true })
}
