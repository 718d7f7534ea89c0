import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCopyCommand,
  type UploadPartCopyCommandInput,
} from '@aws-sdk/client-s3'
import { checksumAlgorithms } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { md5Hex, patternOf, readBody } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { begin, complete, PART_BYTES } from './uploads.ts'

const { client, newBucket, metadata } = await startConformance()
const Bucket = await newBucket()
const source = patternOf(PART_BYTES + 1000)
await client.send(new PutObjectCommand({ Bucket, Key: 'source', Body: source }))
const place = await begin(client, Bucket, 'copied', { ChecksumAlgorithm: 'CRC32' })

const copy = (PartNumber: number, more: Partial<UploadPartCopyCommandInput> = {}) =>
  client.send(new UploadPartCopyCommand({ ...place, PartNumber, CopySource: `${Bucket}/source`, ...more }))

test('ranges of an object become the parts of another', async () => {
  const parts = []
  for (const [first, last] of [
    [1000, PART_BYTES + 999],
    [0, 0],
  ] as const) {
    const PartNumber: number = parts.length + 1
    const { CopyPartResult: part } = await copy(PartNumber, { CopySourceRange: `bytes=${first}-${last}` })
    const bytes = source.subarray(first, last + 1)
    assert.equal(part?.ETag, `"${md5Hex(bytes)}"`)
    assert.equal(part?.ChecksumCRC32, toBase64(checksumOf('CRC32', bytes)))
    assert.ok(part?.LastModified instanceof Date)
    parts.push({ PartNumber, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 })
  }
  await complete(client, place, parts)
  const expected = Buffer.concat([source.subarray(1000), source.subarray(0, 1)])
  assert.ok((await readBody(client, Bucket, 'copied')).equals(expected))
})

test('without a range it is the whole; a checksum nobody asked for is kept, not answered', async () => {
  const other = await begin(client, Bucket, 'whole')
  const { CopyPartResult: part } = await copy(1, other)
  assert.equal(part?.ETag, `"${md5Hex(source)}"`)
  const checksums = Object.keys(part).filter((member) => member.startsWith('Checksum'))
  assert.deepEqual(checksums, [])
  const { Parts = [] } = await client.send(new ListPartsCommand(other))
  assert.equal(Parts[0]?.ChecksumCRC64NVME, toBase64(checksumOf('CRC64NVME', source)))
})

for (const algorithm of checksumAlgorithms) {
  test(`a part of an upload with ${algorithm} gets one, whatever the source has`, async () => {
    const other = await begin(client, Bucket, `with-${algorithm}`, { ChecksumAlgorithm: algorithm })
    const { CopyPartResult: part } = await copy(1, { ...other, CopySourceRange: 'bytes=0-99' })
    const expected = toBase64(checksumOf(algorithm, source.subarray(0, 100)))
    assert.equal(part?.[`Checksum${algorithm}`], expected)
  })
}

test('refusals', async () => {
  const live = await begin(client, Bucket, 'live')
  await assert.rejects(copy(0, live), s3Error('InvalidArgument', 400))
  await assert.rejects(copy(1, { ...live, UploadId: 'none' }), s3Error('NoSuchUpload', 404))
  await assert.rejects(copy(1, { ...live, CopySource: `${Bucket}/missing` }), s3Error('NoSuchKey', 404))
  await assert.rejects(copy(1, { ...live, CopySource: 'no-bucket-here/key' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(copy(1, { ...live, CopySourceIfMatch: 'other' }), s3Error('PreconditionFailed', 412))
  for (const range of ['bytes=0-', `bytes=0-${source.length}`, 'bytes=2-1', '0-1']) {
    await assert.rejects(copy(1, { ...live, CopySourceRange: range }), s3Error('InvalidArgument', 400))
  }
  const version = '0'.repeat(32)
  const size = BigInt(5 * 1024 ** 3 + 1)
  await metadata.call('commitObject', {
    object: { format: 1, bucket: Bucket, key: 'huge', version, size, etag: 'e', storageClass: 'STANDARD' },
  })
  await assert.rejects(copy(1, { ...live, CopySource: `${Bucket}/huge` }), s3Error('InvalidRequest', 400))
})
