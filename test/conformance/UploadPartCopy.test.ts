import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeleteObjectCommand,
  PutBucketVersioningCommand,
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
  const { ETag } = part ?? {}
  const completed = await complete(client, other, [{ PartNumber: 1, ETag }])
  assert.equal(completed.ChecksumCRC64NVME, toBase64(checksumOf('CRC64NVME', source)))
})

for (const algorithm of checksumAlgorithms) {
  test(`a part of an upload with ${algorithm} gets one, whatever the source has`, async () => {
    const other = await begin(client, Bucket, `with-${algorithm}`, { ChecksumAlgorithm: algorithm })
    const { CopyPartResult: part } = await copy(1, { ...other, CopySourceRange: 'bytes=0-99' })
    const expected = toBase64(checksumOf(algorithm, source.subarray(0, 100)))
    assert.equal(part?.[`Checksum${algorithm}`], expected)
  })
}

test('a version of the source, which the answer names', async () => {
  const versioned = await newBucket()
  await client.send(
    new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration: { Status: 'Enabled' } }),
  )
  const put = async (Body: string) =>
    (await client.send(new PutObjectCommand({ Bucket: versioned, Key: 'v', Body }))).VersionId ?? ''
  const versions = [await put('old'), await put('new')] as const
  const other = await begin(client, Bucket, 'of-version')
  const CopySource = `${versioned}/v`
  for (const [from, version, body] of [
    [CopySource, versions[1], 'new'],
    [`${CopySource}?versionId=${versions[0]}`, versions[0], 'old'],
  ] as const) {
    const answer = await copy(1, { ...other, CopySource: from })
    assert.equal(answer.CopySourceVersionId, version)
    assert.equal(answer.CopyPartResult?.ETag, `"${md5Hex(body)}"`)
  }
  const unversioned = await copy(2, other)
  assert.equal(unversioned.CopySourceVersionId, undefined)
  const { VersionId: marker = '' } = await client.send(
    new DeleteObjectCommand({ Bucket: versioned, Key: 'v' }),
  )
  await assert.rejects(copy(1, { ...other, CopySource }), s3Error('NoSuchKey', 404))
  await assert.rejects(
    copy(1, { ...other, CopySource: `${CopySource}?versionId=${marker}` }),
    s3Error('InvalidRequest', 400, /may not specifically refer to a delete marker/),
  )
  const gone = versions[0].replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
  await assert.rejects(
    copy(1, { ...other, CopySource: `${CopySource}?versionId=${gone}` }),
    s3Error('NoSuchVersion', 404),
  )
})

test('conditions on the source', async () => {
  const other = await begin(client, Bucket, 'conditions')
  const etag = md5Hex(source)
  const [past, future] = [new Date(Date.now() - 86_400_000), new Date(Date.now() + 86_400_000)]
  for (const holds of [
    { CopySourceIfMatch: etag },
    { CopySourceIfNoneMatch: 'other' },
    { CopySourceIfModifiedSince: past },
    { CopySourceIfModifiedSince: future },
    { CopySourceIfUnmodifiedSince: future },
    // The one that names an ETag decides.
    { CopySourceIfMatch: etag, CopySourceIfUnmodifiedSince: past },
  ]) {
    await copy(1, { ...other, CopySourceRange: 'bytes=0-9', ...holds })
  }
  for (const fails of [
    { CopySourceIfMatch: 'other' },
    { CopySourceIfNoneMatch: etag },
    { CopySourceIfUnmodifiedSince: past },
    { CopySourceIfNoneMatch: etag, CopySourceIfModifiedSince: past },
  ]) {
    await assert.rejects(copy(1, { ...other, ...fails }), s3Error('PreconditionFailed', 412))
  }
})

test('refusals', async () => {
  const live = await begin(client, Bucket, 'live')
  await assert.rejects(copy(0, live), s3Error('InvalidArgument', 400))
  await assert.rejects(copy(1, { ...live, UploadId: 'none' }), s3Error('NoSuchUpload', 404))
  await assert.rejects(copy(1, { ...live, CopySource: `${Bucket}/missing` }), s3Error('NoSuchKey', 404))
  await assert.rejects(copy(1, { ...live, CopySource: 'no-bucket-here/key' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(
    copy(1, { ...live, ExpectedSourceBucketOwner: '0'.repeat(12) }),
    s3Error('AccessDenied', 403),
  )
  for (const range of ['bytes=0-', 'bytes=-1', 'bytes=2-1', '0-1', 'bytes=0-1,3-4', 'bytes=a-b', '']) {
    await assert.rejects(
      copy(1, { ...live, CopySourceRange: range }),
      s3Error('InvalidArgument', 400, /must be of the form bytes=first-last/),
    )
  }
  for (const range of [`bytes=0-${source.length}`, `bytes=1-${source.length + 1}`]) {
    await assert.rejects(
      copy(1, { ...live, CopySourceRange: range }),
      s3Error(
        'InvalidArgument',
        400,
        `Range specified is not valid for source object of size: ${source.length}`,
      ),
    )
  }
  await assert.rejects(
    copy(1, { ...live, CopySourceRange: `bytes=${source.length}-${source.length + 9}` }),
    s3Error('InvalidRequest', 400, 'The specified copy range is invalid for the source object size'),
  )
  const version = '0'.repeat(32)
  const size = BigInt(5 * 1024 ** 3 + 1)
  await metadata.call('commitObject', {
    object: { format: 1, bucket: Bucket, key: 'huge', version, size, etag: 'e', storageClass: 'STANDARD' },
  })
  await assert.rejects(
    copy(1, { ...live, CopySource: `${Bucket}/huge` }),
    s3Error('InvalidRequest', 400, /larger than the maximum allowable size for a copy source: 5368709120/),
  )
})
