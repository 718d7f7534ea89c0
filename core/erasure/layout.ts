/**
 * Where the bytes of a blob lie: blob → stripes → shards. Pure arithmetic, shared by the write path, the read path,
 * repair and the storage node's checks, so that all of them cut at the same places.
 *
 * Reed–Solomon and locally repairable codes: a full stripe holds `k` × 1 MiB of data in shards of 1 MiB. The last
 * stripe (the only one of a small blob) holds the rest in shards of `ceil(rest / k)` rounded up to 4 KiB. Data shard `i` of a stripe holds bytes
 * `[i × shardBytes, (i + 1) × shardBytes)` of the stripe's data, padded with zeros at the end; so the last shards of a
 * tail stripe may be padding in part or wholly.
 *
 * Replicas: stripes of up to 1 MiB, every shard exactly the stripe's bytes, no padding.
 *
 * A blob of size 0 has no stripes. Sizes and offsets are bytes, safe integers; ranges are half open.
 */

import { SHARD_ALIGN, SHARD_BYTES_MAX } from '../limits.ts'
import type { Code } from './code.ts'

/** One stripe of a blob. */
export interface Stripe {
  /** 0-based, in blob order. */
  readonly index: number
  /** Where in the blob its first data byte lies. */
  readonly offset: number
  /** Bytes of the blob it holds, at least 1, without padding. */
  readonly dataBytes: number
  /** Bytes of each of its shards, data and parity alike. */
  readonly shardBytes: number
}

/** A run of blob bytes that lies within one data shard. */
export interface ShardRange {
  readonly stripe: Stripe
  /** The data shard: 0 … k-1 (0 for replicas, where every copy serves). */
  readonly shard: number
  /** Where the run starts in the shard. */
  readonly shardStart: number
  /** Where it ends in the shard (exclusive). */
  readonly shardEnd: number
  /** Where the run starts in the blob; its length is `shardEnd - shardStart`. */
  readonly offset: number
}

/** Data bytes of a full stripe. */
export function stripeDataBytes(code: Code): number {
  return code.k * SHARD_BYTES_MAX
}

/** Bytes of each shard of a stripe that holds `dataBytes` of data (1 … {@link stripeDataBytes}). */
export function shardBytesFor(code: Code, dataBytes: number): number {
  if (!Number.isSafeInteger(dataBytes) || dataBytes < 1 || dataBytes > stripeDataBytes(code)) {
    throw new RangeError(
      `a stripe of ${code.name} holds 1 to ${stripeDataBytes(code)} bytes, not ${dataBytes}`,
    )
  }
  if (code.kind === 'replica') return dataBytes
  return Math.ceil(Math.ceil(dataBytes / code.k) / SHARD_ALIGN) * SHARD_ALIGN
}

/** How many stripes a blob of `size` bytes has: 0 for an empty blob. */
export function stripeCount(code: Code, size: number): number {
  assertSize(size)
  return Math.ceil(size / stripeDataBytes(code))
}

/**
 * Stripe `index` of a blob of `size` bytes.
 *
 * @throws {RangeError} when the blob has no such stripe.
 */
export function stripeAt(code: Code, size: number, index: number): Stripe {
  const count = stripeCount(code, size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`a blob of ${size} bytes as ${code.name} has ${count} stripes, no stripe ${index}`)
  }
  const full = stripeDataBytes(code)
  const offset = index * full
  const dataBytes = Math.min(full, size - offset)
  return { index, offset, dataBytes, shardBytes: shardBytesFor(code, dataBytes) }
}

/** Which stripe holds byte `offset` of a blob. */
export function stripeIndexOf(code: Code, offset: number): number {
  assertSize(offset)
  return Math.floor(offset / stripeDataBytes(code))
}

/** How many bytes of data shard `shard` are the blob's; the rest of the shard is zero padding. */
export function shardDataBytes(stripe: Stripe, shard: number): number {
  return Math.max(0, Math.min(stripe.shardBytes, stripe.dataBytes - shard * stripe.shardBytes))
}

/** Bytes that all shards of a blob occupy: what the blob costs on disk, without record headers. */
export function storedBytes(code: Code, size: number): number {
  const count = stripeCount(code, size)
  if (count === 0) return 0
  const tail = stripeAt(code, size, count - 1)
  return code.total * ((count - 1) * SHARD_BYTES_MAX + tail.shardBytes)
}

/**
 * The data shards that hold bytes `[start, end)` of a blob of `size` bytes, in blob order: the runs are disjoint and
 * together are exactly the range. An empty range gives nothing.
 *
 * @throws {RangeError} unless 0 <= start <= end <= size.
 */
export function* locateRange(
  code: Code,
  size: number,
  start: number,
  end: number,
): Generator<ShardRange, void, undefined> {
  assertSize(size)
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > size) {
    throw new RangeError(`no range [${start}, ${end}) in a blob of ${size} bytes`)
  }
  let offset = start
  while (offset < end) {
    const stripe = stripeAt(code, size, stripeIndexOf(code, offset))
    const stripeEnd = Math.min(end, stripe.offset + stripe.dataBytes)
    while (offset < stripeEnd) {
      const inStripe = offset - stripe.offset
      const shard = Math.floor(inStripe / stripe.shardBytes)
      const shardStart = inStripe - shard * stripe.shardBytes
      const shardEnd = Math.min(stripe.shardBytes, shardStart + (stripeEnd - offset))
      yield { stripe, shard, shardStart, shardEnd, offset }
      offset += shardEnd - shardStart
    }
  }
}

function assertSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`not a size in bytes: ${size}`)
}
