/**
 * CRC32C (Castagnoli, RFC 3720) over @node-rs/crc32, which uses the processor's own instructions, and the block
 * checksums that guard every shard from the moment it is encoded.
 */
import { crc32c as nativeCrc32c } from '@node-rs/crc32'
import { SHARD_BLOCK_BYTES } from '../../core/limits.ts'

/**
 * CRC32C of `data` as an unsigned 32-bit number. `previous` is the result over the bytes that came before, so a
 * long input may be given in pieces. Views of a SharedArrayBuffer and of WebAssembly memory are accepted.
 */
export function crc32c(data: Uint8Array, previous = 0): number {
  return data.byteLength === 0 ? previous : nativeCrc32c(data, previous)
}

/** How many block checksums `bytes` bytes have; none for an empty shard. */
export function blockCount(bytes: number, blockBytes = SHARD_BLOCK_BYTES): number {
  return Math.ceil(bytes / blockBytes)
}

/**
 * The CRC32C of every block of `data`, in order; the last block may be short. An empty `data` has no blocks.
 * @throws RangeError when `blockBytes` is not a positive integer.
 */
export function crc32cBlocks(data: Uint8Array, blockBytes = SHARD_BLOCK_BYTES): Uint32Array {
  assertBlockBytes(blockBytes)
  const sums = new Uint32Array(blockCount(data.byteLength, blockBytes))
  for (let block = 0, at = 0; block < sums.length; block++, at += blockBytes) {
    sums[block] = nativeCrc32c(data.subarray(at, at + blockBytes))
  }
  return sums
}

/**
 * The index of the first block of `data` whose CRC32C differs from `expected`, or -1 when all agree. A count of
 * checksums that does not fit `data` is a difference at the first block that lacks its partner.
 * @throws RangeError when `blockBytes` is not a positive integer.
 */
export function firstBadBlock(
  data: Uint8Array,
  expected: ArrayLike<number>,
  blockBytes = SHARD_BLOCK_BYTES,
): number {
  assertBlockBytes(blockBytes)
  const blocks = blockCount(data.byteLength, blockBytes)
  const both = Math.min(blocks, expected.length)
  for (let block = 0, at = 0; block < both; block++, at += blockBytes) {
    if (nativeCrc32c(data.subarray(at, at + blockBytes)) !== expected[block]) return block
  }
  return blocks === expected.length ? -1 : both
}

function assertBlockBytes(blockBytes: number): void {
  if (!Number.isSafeInteger(blockBytes) || blockBytes <= 0) {
    throw new RangeError(`block size must be a positive integer of bytes, got ${blockBytes}`)
  }
}
