import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARD_ALIGN, SHARD_BYTES_MAX } from '../limits.ts'
import { parseCode, replicaCode, rsCode } from './code.ts'
import {
  locateRange,
  shardBytesFor,
  shardDataBytes,
  storedBytes,
  stripeAt,
  stripeCount,
  stripeDataBytes,
  stripeIndexOf,
} from './layout.ts'

const MIB = 1024 * 1024

const codes = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 31 }), fc.integer({ min: 0, max: 31 }))
    .filter(([k, m]) => k + m <= 32)
    .map(([k, m]) => rsCode(k, m)),
  fc.integer({ min: 1, max: 32 }).map(replicaCode),
)

/** Sizes near every boundary that matters, and anything up to 5 TiB. */
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 80 * MIB }),
  fc
    .tuple(fc.integer({ min: 0, max: 64 }), fc.integer({ min: -2, max: 2 }))
    .map(([units, d]) => Math.max(0, units * MIB + d)),
  fc.integer({ min: 0, max: 5 * 1024 ** 4 }),
)

test('the rules by example', () => {
  const rs = parseCode('rs-4-2')
  assert.equal(stripeCount(rs, 0), 0)
  assert.deepEqual(stripeAt(rs, 1, 0), { index: 0, offset: 0, dataBytes: 1, shardBytes: 4096 })
  assert.deepEqual(stripeAt(rs, 16385, 0), { index: 0, offset: 0, dataBytes: 16385, shardBytes: 8192 })
  assert.equal(stripeCount(rs, 4 * MIB), 1)
  assert.deepEqual(stripeAt(rs, 4 * MIB, 0), { index: 0, offset: 0, dataBytes: 4 * MIB, shardBytes: MIB })
  assert.deepEqual(stripeAt(rs, 4 * MIB + 1, 1), {
    index: 1,
    offset: 4 * MIB,
    dataBytes: 1,
    shardBytes: 4096,
  })
  const replica = parseCode('replica-3')
  assert.deepEqual(stripeAt(replica, 5, 0), { index: 0, offset: 0, dataBytes: 5, shardBytes: 5 })
  assert.deepEqual(stripeAt(replica, MIB + 7, 1), { index: 1, offset: MIB, dataBytes: 7, shardBytes: 7 })
  assert.equal(storedBytes(rs, 4 * MIB + 1), 6 * (MIB + 4096))
  assert.equal(storedBytes(replica, MIB + 7), 3 * (MIB + 7))
  assert.equal(storedBytes(rs, 0), 0)
})

test('stripes cover a blob once, in order, in shards of lawful size', () => {
  fc.assert(
    fc.property(codes, sizes, fc.nat(), (code, size, pick) => {
      const count = stripeCount(code, size)
      if (size === 0) return assert.equal(count, 0)
      const first = stripeAt(code, size, 0)
      const last = stripeAt(code, size, count - 1)
      assert.equal(first.offset, 0)
      assert.equal(last.offset + last.dataBytes, size)
      const index = pick % count
      const stripe = stripeAt(code, size, index)
      assert.equal(stripe.index, index)
      assert.ok(stripe.dataBytes >= 1)
      if (index + 1 < count) {
        assert.equal(stripe.offset + stripe.dataBytes, stripeAt(code, size, index + 1).offset)
        assert.equal(stripe.dataBytes, stripeDataBytes(code))
        assert.equal(stripe.shardBytes, SHARD_BYTES_MAX)
      }
      assert.ok(stripe.shardBytes <= SHARD_BYTES_MAX)
      assert.ok(stripe.shardBytes * code.k >= stripe.dataBytes)
      if (code.kind === 'replica') assert.equal(stripe.shardBytes, stripe.dataBytes)
      else {
        assert.equal(stripe.shardBytes % SHARD_ALIGN, 0)
        // The smallest lawful shard: one alignment unit less would not hold the data.
        assert.ok((stripe.shardBytes - SHARD_ALIGN) * code.k < stripe.dataBytes)
      }
      let held = 0
      for (let shard = 0; shard < code.k; shard++) held += shardDataBytes(stripe, shard)
      assert.equal(held, stripe.dataBytes)
      assert.equal(stripeIndexOf(code, stripe.offset), index)
      assert.equal(stripeIndexOf(code, stripe.offset + stripe.dataBytes - 1), index)
    }),
  )
})

test('a range is covered exactly, in order, by runs that stay inside their shard', () => {
  const ranges = sizes.chain((size) =>
    fc
      .tuple(fc.integer({ min: 0, max: size }), fc.integer({ min: 0, max: 40 * MIB }))
      .map(([start, length]) => ({ size, start, end: Math.min(size, start + length) })),
  )
  fc.assert(
    fc.property(codes, ranges, (code, { size, start, end }) => {
      let next = start
      for (const run of locateRange(code, size, start, end)) {
        assert.equal(run.offset, next)
        assert.ok(run.shardStart < run.shardEnd)
        assert.ok(run.shardStart >= 0 && run.shard >= 0 && run.shard < code.k)
        assert.ok(run.shardEnd <= shardDataBytes(run.stripe, run.shard))
        assert.deepEqual(run.stripe, stripeAt(code, size, run.stripe.index))
        // The definition: shard i holds bytes [i × shardBytes, (i + 1) × shardBytes) of the stripe.
        assert.equal(run.stripe.offset + run.shard * run.stripe.shardBytes + run.shardStart, run.offset)
        next += run.shardEnd - run.shardStart
      }
      assert.equal(next, end)
    }),
  )
})

test('sizes, stripes and ranges that do not exist are refused', () => {
  const code = parseCode('rs-4-2')
  for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => stripeCount(code, size), RangeError)
    assert.throws(() => stripeIndexOf(code, size), RangeError)
  }
  assert.throws(() => stripeAt(code, 0, 0), RangeError)
  assert.throws(() => stripeAt(code, 10, 1), RangeError)
  assert.throws(() => stripeAt(code, 10, -1), RangeError)
  assert.throws(() => shardBytesFor(code, 0), RangeError)
  assert.throws(() => shardBytesFor(code, 4 * MIB + 1), RangeError)
  assert.throws(() => [...locateRange(code, 10, 0, 11)], RangeError)
  assert.throws(() => [...locateRange(code, 10, 5, 4)], RangeError)
  assert.throws(() => [...locateRange(code, 10, -1, 4)], RangeError)
  assert.deepEqual([...locateRange(code, 10, 4, 4)], [])
})
