import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARD_BLOCK_BYTES } from '../../core/limits.ts'
import { blockCount, crc32c, crc32cBlocks, firstBadBlock } from './crc32c.ts'

/** Bit by bit, from the definition: the oracle. */
function slowCrc32c(data: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}

test('RFC 3720 vectors', () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(0)), 0)
})

test('pieces give what the whole gives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), (data, cut) => {
      const head = crc32c(data.subarray(0, cut))
      assert.equal(crc32c(data.subarray(cut), head), slowCrc32c(data))
    }),
  )
})

test('every block is the CRC32C of its own bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 64 }), (data, blockBytes) => {
      const sums = crc32cBlocks(data, blockBytes)
      assert.equal(sums.length, blockCount(data.length, blockBytes))
      for (let i = 0; i < sums.length; i++) {
        assert.equal(sums[i], slowCrc32c(data.slice(i * blockBytes, (i + 1) * blockBytes)))
      }
      assert.equal(firstBadBlock(data, sums, blockBytes), -1)
    }),
  )
})

test('a flipped bit is found in its own block', () => {
  const data = Uint8Array.from({ length: 3 * SHARD_BLOCK_BYTES + 17 }, (_, i) => i * 31)
  const sums = crc32cBlocks(data)
  assert.equal(sums.length, 4)
  for (const at of [0, SHARD_BLOCK_BYTES - 1, SHARD_BLOCK_BYTES, data.length - 1]) {
    const bad = data.slice()
    bad[at] = (bad[at] ?? 0) ^ 0x10
    assert.equal(firstBadBlock(bad, sums), Math.floor(at / SHARD_BLOCK_BYTES))
  }
})

test('a missing or surplus checksum is a difference', () => {
  const data = new Uint8Array(100)
  const sums = crc32cBlocks(data, 40)
  assert.equal(firstBadBlock(data, sums.subarray(0, 2), 40), 2)
  assert.equal(firstBadBlock(data, [...sums, 1], 40), 3)
  assert.equal(firstBadBlock(new Uint8Array(0), [], 40), -1)
})

test('views of shared memory and of WebAssembly memory give the same', () => {
  const plain = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7)
  const shared = new Uint8Array(new SharedArrayBuffer(plain.length + 3), 3)
  shared.set(plain)
  const wasm = new Uint8Array(new WebAssembly.Memory({ initial: 2 }).buffer, 5, plain.length)
  wasm.set(plain)
  const sharedWasm = new Uint8Array(
    new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true }).buffer,
    9,
    plain.length,
  )
  sharedWasm.set(plain)
  const expected = crc32cBlocks(plain)
  for (const view of [shared, wasm, sharedWasm]) assert.deepEqual(crc32cBlocks(view), expected)
})

test('a block size that is no positive integer is refused', () => {
  for (const bad of [0, -1, 1.5, NaN, Infinity]) {
    assert.throws(() => crc32cBlocks(new Uint8Array(1), bad), RangeError)
    assert.throws(() => firstBadBlock(new Uint8Array(1), [0], bad), RangeError)
  }
})
