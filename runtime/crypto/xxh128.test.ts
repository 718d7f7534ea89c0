import assert from 'node:assert/strict'
import { test } from 'node:test'
import { xxh3 } from '@node-rs/xxhash'
import fc from 'fast-check'
import { Xxh128 } from './xxh128.ts'

function hexOf(...pieces: readonly Uint8Array[]): string {
  const running = new Xxh128()
  for (const piece of pieces) running.update(piece)
  return Buffer.from(running.digest()).toString('hex')
}

/** The library's, of an input at hand: the oracle. */
const oracle = (data: Uint8Array): string => xxh3.xxh128(data).toString(16).padStart(32, '0')

/** The buffer that xxHash's own sanity check hashes. Source: github.com/Cyan4973/xxHash, cli/xsum_sanity_check.c. */
function sanityBuffer(length: number): Uint8Array {
  let generator = 2654435761n
  return Uint8Array.from({ length }, () => {
    const byte = Number(generator >> 56n)
    generator = BigInt.asUintN(64, generator * 11400714785074694797n)
    return byte
  })
}

/** Any bytes will do, as long as no two stripes are alike. */
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 11)

test("the vectors of xxHash's sanity check, canonical form, seed 0", () => {
  const buffer = sanityBuffer(2367)
  const vectors: readonly (readonly [number, string])[] = [
    [0, '99aa06d3014798d86001c324468d497f'],
    [403, '1b6de21e332dd73dcdeb804d65c6dea4'],
    [512, '18d2d110dcc9bca1617e49599013cb6b'],
    [2048, 'f736557fd47073a5dd59e2c3a5f038e0'],
    [2240, 'ccb134fbfa7ce49d6e73a90539cf2948'],
    [2367, 'e89c0f6ff369b427cb37aeb9e5d361ed'],
  ]
  for (const [length, expected] of vectors) assert.equal(hexOf(buffer.subarray(0, length)), expected)
})

test('every length around the edges: short inputs, stripes, blocks, the working memory', () => {
  const edges = [0, 16, 128, 240, 1024, 1088, 2048, 64 * 1024, 4 * 64 * 1024 - 1024 - 64, 4 * 64 * 1024]
  const data = bytesOf(5 * 64 * 1024)
  for (const edge of edges) {
    for (let length = Math.max(0, edge - 66); length <= edge + 66; length++) {
      const input = data.subarray(0, length)
      assert.equal(hexOf(input), oracle(input), String(length))
    }
  }
})

test('pieces of any size give what the whole gives, on any view', () => {
  const lengths = fc.array(fc.oneof(fc.nat(70), fc.nat(1100), fc.nat(300_000)), { maxLength: 6 })
  fc.assert(
    fc.property(lengths, (sizes) => {
      const data = bytesOf(sizes.reduce((sum, size) => sum + size, 0))
      const shared = new Uint8Array(new SharedArrayBuffer(data.length + 5), 5)
      shared.set(data)
      const cut = (whole: Uint8Array) => {
        let at = 0
        return sizes.map((size) => whole.subarray(at, (at += size)))
      }
      assert.equal(hexOf(...cut(data)), oracle(data))
      assert.equal(hexOf(...cut(shared)), oracle(data))
    }),
    { numRuns: 60 },
  )
})

test('two at once do not disturb each other', () => {
  const [a, b] = [new Xxh128(), new Xxh128()]
  const data = bytesOf(10_000)
  for (let at = 0; at < data.length; at += 700) {
    a.update(data.subarray(at, at + 700))
    b.update(data.subarray(data.length - at - 700, data.length - at))
  }
  assert.equal(Buffer.from(a.digest()).toString('hex'), oracle(data))
})
