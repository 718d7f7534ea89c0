import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CreateMultipartUploadCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { bare, begin, complete, upload } from './uploads.ts'

const { client, raw, newBucket } = await startConformance()
const Bucket = await newBucket()

const create = (Key: string, more: Partial<CreateMultipartUploadCommand['input']> = {}) =>
  client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...more }))

test('an upload begins: two of one key are two, and none is an object', async () => {
  const first = await create('key/ü')
  const second = await create('key/ü')
  assert.deepEqual([first.Bucket, first.Key], [Bucket, 'key/ü'])
  assert.notEqual(first.UploadId, second.UploadId)
  assert.equal((await client.send(new ListObjectsV2Command({ Bucket }))).KeyCount, 0)
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  assert.deepEqual(
    Uploads.map(({ UploadId }) => UploadId),
    [first.UploadId, second.UploadId],
  )
})

test('metadata given here is the object’s', async () => {
  const set = {
    ContentType: 'text/plain',
    ContentEncoding: 'gzip',
    CacheControl: 'no-cache',
    Metadata: { a: 'b' },
  }
  const place = await begin(client, Bucket, 'metadata', { ...set, WebsiteRedirectLocation: '/there' })
  await complete(client, place, [bare(await upload(client, place, 1, 'x'))])
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'metadata' }))
  assert.equal(head.ContentType, 'text/plain')
  assert.equal(head.ContentEncoding, 'gzip')
  assert.equal(head.CacheControl, 'no-cache')
  assert.equal(head.WebsiteRedirectLocation, '/there')
  assert.deepEqual(head.Metadata, { a: 'b' })
})

test('tags given here are the object’s', async () => {
  const place = await begin(client, Bucket, 'tagged', { Tagging: 'colour=dark%20red&empty=' })
  await complete(client, place, [bare(await upload(client, place, 1, 'x'))])
  const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))
  assert.deepEqual(TagSet, [
    { Key: 'colour', Value: 'dark red' },
    { Key: 'empty', Value: '' },
  ])
  await assert.rejects(create('x', { Tagging: 'a=1&a=2' }), s3Error('InvalidArgument', 400))
  await assert.rejects(create('x', { Tagging: 'aws:a=1' }), s3Error('InvalidTag', 400))
  const eleven = Array.from({ length: 11 }, (_, i) => `k${i}=v`).join('&')
  await assert.rejects(create('x', { Tagging: eleven }), s3Error('BadRequest', 400))
})

test('the storage class given here is the object’s', async () => {
  const place = await begin(client, Bucket, 'class', { StorageClass: 'STANDARD_IA' })
  const part = bare(await upload(client, place, 1, 'x'.repeat(50_000)))
  const parts = await client.send(new ListPartsCommand(place))
  assert.equal(parts.StorageClass, 'STANDARD_IA')
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'class' }))
  assert.deepEqual(
    Uploads.map(({ StorageClass }) => StorageClass),
    ['STANDARD_IA'],
  )
  await complete(client, place, [part])
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'class' }))
  assert.equal(head.StorageClass, 'STANDARD_IA')
  const unknown = await raw({
    method: 'POST',
    target: `/${Bucket}/class?uploads`,
    headers: { 'x-amz-storage-class': 'COLD' },
  })
  assert.deepEqual([unknown.status, unknown.code], [400, 'InvalidStorageClass'])
})

describe('checksums', () => {
  const crcs = ['CRC32', 'CRC32C', 'CRC64NVME'] as const
  const hashes = ['MD5', 'SHA1', 'SHA256', 'SHA512', 'XXHASH3', 'XXHASH64', 'XXHASH128'] as const
  const allowed: readonly (readonly [ChecksumAlgorithm, ChecksumType | undefined, ChecksumType])[] = [
    ['CRC32', undefined, 'COMPOSITE'],
    ['CRC32', 'COMPOSITE', 'COMPOSITE'],
    ['CRC32C', undefined, 'COMPOSITE'],
    ['CRC32C', 'COMPOSITE', 'COMPOSITE'],
    ['CRC64NVME', undefined, 'FULL_OBJECT'],
    ...crcs.map((algorithm) => [algorithm, 'FULL_OBJECT', 'FULL_OBJECT'] as const),
    ...hashes.flatMap(
      (algorithm) =>
        [
          [algorithm, undefined, 'COMPOSITE'],
          [algorithm, 'COMPOSITE', 'COMPOSITE'],
        ] as const,
    ),
  ]
  for (const [algorithm, type, answered] of allowed) {
    test(`${algorithm}, ${type ?? 'no type'}: ${answered}`, async () => {
      const asked = type === undefined ? {} : { ChecksumType: type }
      const answer = await create('checksum', { ChecksumAlgorithm: algorithm, ...asked })
      assert.deepEqual([answer.ChecksumAlgorithm, answer.ChecksumType], [algorithm, answered])
    })
  }

  test('in any letter case', async () => {
    const headers = { 'x-amz-checksum-algorithm': 'xxHash128', 'x-amz-checksum-type': 'Composite' }
    const answer = await raw({ method: 'POST', target: `/${Bucket}/case?uploads`, headers })
    assert.equal(answer.status, 200, answer.body)
    assert.equal(answer.headers['x-amz-checksum-algorithm'], 'XXHASH128')
    assert.equal(answer.headers['x-amz-checksum-type'], 'COMPOSITE')
  })

  test('none', async () => {
    const answer = await raw({ method: 'POST', target: `/${Bucket}/none?uploads` })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['x-amz-checksum-algorithm'], undefined)
    assert.equal(answer.headers['x-amz-checksum-type'], undefined)
  })

  const refused: readonly (readonly [Record<string, string>, string])[] = [
    ...hashes.map(
      (algorithm) =>
        [
          { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'FULL_OBJECT' },
          `The FULL_OBJECT checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
        ] as const,
    ),
    [
      { 'x-amz-checksum-algorithm': 'CRC64NVME', 'x-amz-checksum-type': 'COMPOSITE' },
      'The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.',
    ],
    [
      { 'x-amz-checksum-type': 'COMPOSITE' },
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    ],
    [
      { 'x-amz-checksum-algorithm': 'CRC32', 'x-amz-checksum-type': 'SOME' },
      'Value for x-amz-checksum-type header is invalid.',
    ],
    [{ 'x-amz-checksum-algorithm': 'ADLER' }, 'Checksum algorithm provided is unsupported.'],
  ]
  for (const [headers, message] of refused) {
    test(`refused: ${message}`, async () => {
      const answer = await raw({ method: 'POST', target: `/${Bucket}/refused?uploads`, headers })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
      assert.ok(answer.body.includes(`<Message>${message}`), answer.body)
    })
  }
})

test('a bucket that is not there, metadata that is too large, a key that is too long', async () => {
  await assert.rejects(create('x', { Bucket: 'no-such-bucket' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(create('x', { Metadata: { n: 'v'.repeat(2048) } }), s3Error('MetadataTooLarge', 400))
  await assert.rejects(create('x'.repeat(1025)), s3Error('KeyTooLongError', 400))
})

for (const [name, value] of [
  ['x-amz-object-lock-mode', 'COMPLIANCE'],
  ['x-amz-server-side-encryption', 'aws:kms'],
  ['x-amz-storage-class', 'GLACIER'],
] as const) {
  test(`not built: ${name}`, async () => {
    const answer = await raw({
      method: 'POST',
      target: `/${Bucket}/unbuilt?uploads`,
      headers: { [name]: value },
    })
    assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
    assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
  })
}
