import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toBase64 } from '../../core/checksum/base64.ts'
import { toHex } from '../../core/signing/encoding.ts'
import { checksumOf, md5Of } from '../../runtime/crypto/checksum.ts'
import { S3Error } from '../errors/s3-error.ts'
import { readNamedParts } from './completed-parts.ts'
import { completeParts, etagOf, type CompletionRequest } from './completion.ts'
import { readWriteConditions } from './write-conditions.ts'

type Algorithm = CompletionRequest['checksum']['algorithm']

const MIB = 1024 * 1024

function stored(partNumber: number, bytes: Uint8Array, algorithm: Algorithm, size = bytes.length) {
  return {
    partNumber,
    size: BigInt(size),
    etag: toHex(md5Of(bytes)),
    checksums: [{ algorithm, value: toBase64(checksumOf(algorithm, bytes)) }],
  }
}

function request(
  parts: readonly ReturnType<typeof stored>[],
  checksum: CompletionRequest['checksum'],
  more: Partial<CompletionRequest> = {},
): CompletionRequest {
  return {
    uploadId: 'id',
    named: parts.map(({ partNumber, etag, checksums: [one] }) => ({
      partNumber,
      etag,
      ...(one && checksum.asked ? { checksum: one } : {}),
    })),
    checksum,
    expected: [],
    expectedType: undefined,
    expectedSize: undefined,
    ...more,
  }
}

const codeOf = (act: () => unknown): string | undefined => {
  try {
    act()
    return undefined
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.code
  }
}

describe('completeParts', () => {
  it('makes the full object’s CRC of the parts’, and accepts it as expected', () => {
    const algorithms = fc.constantFrom<Algorithm>('CRC32', 'CRC32C', 'CRC64NVME')
    const last = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(algorithms, fc.integer({ min: 0, max: 3 }), last, (algorithm, large, tail) => {
        const bodies = [...Array.from({ length: large }, (_, i) => new Uint8Array(5 * MIB).fill(i + 1)), tail]
        const parts = bodies.map((body, i) => stored(i * 2 + 1, body, algorithm))
        const value = toBase64(checksumOf(algorithm, Buffer.concat(bodies)))
        const checksum = { algorithm, type: 'FULL_OBJECT', asked: true } as const
        const completed = completeParts(
          request(parts, checksum, { expected: [{ algorithm, value }], expectedType: 'FULL_OBJECT' }),
          parts,
        )
        assert.deepEqual(completed.checksum, { algorithm, value, type: 'FULL_OBJECT' })
        assert.equal(completed.etag, etagOf(parts.map(({ etag }) => etag)))
        assert.ok(completed.etag.endsWith(`-${parts.length}`))
      }),
      { numRuns: 15 },
    )
  })

  const checksum = { algorithm: 'CRC32', type: 'COMPOSITE', asked: true } as const
  const parts = [stored(1, new Uint8Array(1), 'CRC32', 5 * MIB), stored(2, new Uint8Array(2), 'CRC32')]

  it('passes every part’s stored checksum on to the commit', () => {
    const completed = completeParts(request(parts, checksum), parts)
    assert.deepEqual(
      completed.parts.map((part) => part.checksums),
      parts.map((part) => part.checksums),
    )
  })

  it('refuses in the order of S3: the expectations, the order, the checksums, the parts, their size', () => {
    const small = parts.map((part) => ({ ...part, size: 1n }))
    const good = request(parts, checksum)
    const backwards = good.named.toReversed()
    const unnamed = good.named.map(({ partNumber, etag }) => ({ partNumber, etag }))
    const absent = good.named.map((part) => ({ ...part, partNumber: part.partNumber + 10 }))
    const expected = [{ algorithm: 'CRC32', value: 'AAAAAA==' }] as const
    const code = (more: Partial<CompletionRequest>, there = parts) =>
      codeOf(() => completeParts({ ...good, ...more }, there))
    assert.equal(code({ expectedType: 'FULL_OBJECT', named: backwards }), 'InvalidRequest')
    assert.equal(code({ expectedSize: -1, named: backwards }), 'InvalidRequest')
    assert.equal(code({ named: backwards, expected }), 'InvalidPartOrder')
    assert.equal(code({ named: unnamed, expected }), 'InvalidRequest')
    assert.equal(code({ named: absent, expected }), 'BadDigest')
    assert.equal(code({ named: absent }), 'InvalidPart')
    assert.equal(code({ expectedSize: 1 }, small), 'EntityTooSmall')
    assert.equal(code({ expectedSize: 1 }), 'InvalidRequest')
    assert.equal(code({}), undefined)
  })

  it('passes over expectations of an algorithm that nobody asked for, as S3 does', () => {
    const plain = parts.map((part) => ({
      ...part,
      checksums: [{ algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=' }],
    }))
    const byDefault = { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', asked: false } as const
    const named = plain.map(({ partNumber, etag }) => ({ partNumber, etag }))
    const expected = [{ algorithm: 'CRC32', value: 'AAAAAA==' }] as const
    const complete = (more: Partial<CompletionRequest>) =>
      codeOf(() => completeParts({ ...request([], byDefault), named, ...more }, plain))
    assert.equal(complete({ expected }), undefined)
    assert.equal(complete({ expected: [{ algorithm: 'CRC64NVME', value: 'BAAAAAAAAAA=' }] }), 'BadDigest')
    assert.equal(complete({ expected: [...expected, ...expected] }), 'InvalidRequest')
  })
})

describe('readNamedParts', () => {
  it('reads numbers, bare ETags and one checksum', () => {
    assert.deepEqual(readNamedParts({ Parts: [{ PartNumber: 3, ETag: '"e"', ChecksumCRC32: 'AAAAAA==' }] }), [
      { partNumber: 3, etag: 'e', checksum: { algorithm: 'CRC32', value: 'AAAAAA==' } },
    ])
  })

  it('refuses what is no list of parts', () => {
    const part = { PartNumber: 1, ETag: 'e' }
    assert.equal(
      codeOf(() => readNamedParts(undefined)),
      'InvalidRequest',
    )
    assert.equal(
      codeOf(() => readNamedParts({})),
      'MalformedXML',
    )
    assert.equal(
      codeOf(() => readNamedParts({ Parts: [{ ETag: 'e' }] })),
      'MalformedXML',
    )
    assert.equal(
      codeOf(() => readNamedParts({ Parts: Array.from({ length: 10_001 }, () => part) })),
      'MalformedXML',
    )
    assert.equal(
      codeOf(() => readNamedParts({ Parts: [{ ...part, PartNumber: -1 }] })),
      'InvalidArgument',
    )
    assert.equal(
      codeOf(() => readNamedParts({ Parts: [{ ...part, ChecksumSHA1: 'x' }] })),
      'InvalidArgument',
    )
  })
})

describe('readWriteConditions', () => {
  it('takes one of If-Match and If-None-Match: *', () => {
    assert.deepEqual(readWriteConditions({}), { ifMatch: [], ifNoneMatchAny: false })
    assert.deepEqual(readWriteConditions({ IfMatch: '"e"' }), { ifMatch: ['e'], ifNoneMatchAny: false })
    assert.deepEqual(readWriteConditions({ IfNoneMatch: ' * ' }), { ifMatch: [], ifNoneMatchAny: true })
  })

  it('refuses the rest as not implemented', () => {
    for (const given of [{ IfMatch: '*' }, { IfNoneMatch: 'e' }, { IfMatch: 'e', IfNoneMatch: '*' }]) {
      assert.equal(
        codeOf(() => readWriteConditions(given)),
        'NotImplemented',
      )
    }
  })
})
