import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checksumAlgorithms, checksumTraits, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import {
  compositeChecksum,
  fullObjectChecksum,
  multipartEtag,
  simpleEtag,
} from '../../core/checksum/multipart.ts'
import { checksumOf, createChecksum, md5Of } from './checksum.ts'

/** The check values of the catalogues: digests of the ASCII digits 1 to 9. */
const check: Partial<Record<ChecksumAlgorithm, string>> = {
  CRC32: 'cbf43926',
  CRC32C: 'e3069283',
  CRC64NVME: 'ae8b14860a799888',
  MD5: '25f9e794323b453885f5181f1b624d0b',
  SHA1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  SHA256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
  SHA512:
    'd9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85',
  XXHASH64: '8cb841db40e6ae83',
}

test('check values', () => {
  for (const [name, expected] of Object.entries(check)) {
    const digest = checksumOf(name as ChecksumAlgorithm, Buffer.from('123456789'))
    assert.equal(Buffer.from(digest).toString('hex'), expected, name)
  }
})

test('values recorded from S3 for "the object data"', () => {
  const recorded: Partial<Record<ChecksumAlgorithm, string>> = {
    CRC32: 'z3mWAA==',
    CRC32C: 'rxvjPA==',
    CRC64NVME: 'dYnI3/Fh0gM=',
    SHA1: '8O8FwCfmd5fCbCBvH09mrKMVoHU=',
    MD5: 'EtWtthXtCk3RxUiXKw+ydw==',
    XXHASH64: 'McmxUfNFLUs=',
    XXHASH3: 'tLh+aNltTM4=',
  }
  for (const [name, expected] of Object.entries(recorded)) {
    const digest = checksumOf(name as ChecksumAlgorithm, Buffer.from('the object data'))
    assert.equal(toBase64(digest), expected, name)
  }
})

test('the byte order of xxHash is big-endian: values of the tests of awslabs/aws-checksums for "Hello world"', () => {
  const recorded = {
    XXHASH64: 'c500b0c912b376d8',
    XXHASH3: 'b6acb9d84a38ff74',
    XXHASH128: '7351f89812f97382b91d05b31e04dd7f',
  } as const
  for (const algorithm of ['XXHASH64', 'XXHASH3', 'XXHASH128'] as const) {
    const digest = checksumOf(algorithm, Buffer.from('Hello world'))
    assert.equal(Buffer.from(digest).toString('hex'), recorded[algorithm], algorithm)
  }
})

test('every algorithm gives the size it declares, and pieces give what the whole gives', () => {
  for (const algorithm of checksumAlgorithms) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (data, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)]
        const running = createChecksum(algorithm)
        for (const piece of [data.subarray(0, low), data.subarray(low, high), data.subarray(high)]) {
          running.update(piece)
        }
        const digest = running.digest()
        assert.equal(digest.length, checksumTraits[algorithm].digestBytes)
        assert.deepEqual(Buffer.from(digest), Buffer.from(checksumOf(algorithm, data)))
      }),
      { numRuns: 50 },
    )
  }
})

/** Bit by bit, from the definition: the oracle. */
function slowCrc64Nvme(data: Uint8Array): bigint {
  const all = 0xffffffffffffffffn
  let crc = all
  for (const byte of data) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x9a6c9329ac4bc9b5n : crc >> 1n
  }
  return crc ^ all
}

test('CRC64NVME is the bitwise definition, on any view', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
      const expected = slowCrc64Nvme(data)
      const shared = new Uint8Array(new SharedArrayBuffer(data.length + 3), 3)
      shared.set(data)
      for (const view of [data, shared]) {
        assert.equal(Buffer.from(checksumOf('CRC64NVME', view)).readBigUInt64BE(), expected)
      }
    }),
  )
})

test('CRC64NVME over more than its working memory equals its pieces, and instances do not disturb each other', () => {
  const data = Uint8Array.from({ length: 700_001 }, (_, i) => (i * 2654435761) >>> 13)
  const whole = createChecksum('CRC64NVME')
  const pieces = createChecksum('CRC64NVME')
  for (let at = 0; at < data.length; at += 99_991) pieces.update(data.subarray(at, at + 99_991))
  whole.update(data)
  assert.deepEqual(whole.digest(), pieces.digest())
})

type Piece = { readonly crc: Uint8Array; readonly bytes: number }

const splitting = fc
  .tuple(fc.uint8Array({ maxLength: 500 }), fc.array(fc.nat(500), { maxLength: 6 }))
  .map(([data, cuts]) => {
    const edges = [0, ...cuts.map((cut) => Math.min(cut, data.length)).sort((a, b) => a - b), data.length]
    return { data, parts: edges.slice(1).map((edge, i) => data.subarray(edges[i], edge)) }
  })

test('a full-object CRC is combined from the parts without their bytes', () => {
  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    fc.assert(
      fc.property(splitting, ({ data, parts }) => {
        const pieces = parts.map((part) => ({ crc: checksumOf(algorithm, part), bytes: part.length }))
        const combined = fullObjectChecksum(algorithm, pieces)
        assert.deepEqual(Buffer.from(combined ?? []), Buffer.from(checksumOf(algorithm, data)))
      }),
    )
  }
})

test('combination at the sizes of real parts', () => {
  const part = Buffer.alloc(5 * 1024 * 1024 + 3, 0xa5)
  const last = Buffer.from('the rest')
  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    const combined = fullObjectChecksum(algorithm, [
      { crc: checksumOf(algorithm, part), bytes: part.length },
      { crc: checksumOf(algorithm, part), bytes: part.length },
      { crc: checksumOf(algorithm, last), bytes: last.length },
    ])
    const whole = checksumOf(algorithm, Buffer.concat([part, part, last]))
    assert.deepEqual(Buffer.from(combined ?? []), Buffer.from(whole))
  }
})

test('combining is associative up to the largest lengths', () => {
  const lengths = fc.oneof(fc.integer({ min: 0, max: 2 ** 51 }), fc.integer({ min: 0, max: 5 * 1024 ** 3 }))
  const texts = fc.string({ maxLength: 8 })
  const pieces = fc.record({ text: texts, bytes: lengths })
  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    const combine = (...parts: readonly { readonly crc: Uint8Array; readonly bytes: number }[]) => ({
      crc: fullObjectChecksum(algorithm, parts) ?? new Uint8Array(),
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    })
    fc.assert(
      fc.property(pieces, pieces, pieces, (...given) => {
        const [a, b, c] = given.map(({ text, bytes }) => ({
          crc: checksumOf(algorithm, Buffer.from(text)),
          bytes,
        })) as [Piece, Piece, Piece]
        const whole = combine(a, b, c)
        assert.deepEqual(combine(combine(a, b), c), whole)
        assert.deepEqual(combine(a, combine(b, c)), whole)
      }),
    )
  }
})

test('combination refuses what cannot be right, and algorithms that cannot be combined', () => {
  assert.throws(() => fullObjectChecksum('CRC32', [{ crc: new Uint8Array(8), bytes: 1 }]), RangeError)
  for (const bytes of [-1, 1.5, NaN, 2 ** 53]) {
    assert.throws(() => fullObjectChecksum('CRC32', [{ crc: new Uint8Array(4), bytes }]), RangeError)
  }
  assert.equal(fullObjectChecksum('SHA256', []), undefined)
})

test('composite checksums and ETags are digests of the digests, with the number of parts', () => {
  const parts = ['one', 'two', 'three'].map((text) => Buffer.from(text))
  const sha1 = parts.map((part) => checksumOf('SHA1', part))
  const composite = compositeChecksum(sha1, (data) => checksumOf('SHA1', data))
  assert.equal(composite, `${Buffer.from(checksumOf('SHA1', Buffer.concat(sha1))).toString('base64')}-3`)
  // Recorded: md5 of the concatenated md5s of "one", "two", "three", by md5sum and xxd.
  assert.equal(multipartEtag(parts.map(md5Of), md5Of), '"1742aed2976bd6a0871db76d97698c8b-3"')
  assert.equal(simpleEtag(md5Of(Buffer.from(''))), '"d41d8cd98f00b204e9800998ecf8427e"')
})
