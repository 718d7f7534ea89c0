/** `Expect: 100-continue`: what the head alone can refuse is refused before the client has sent a byte of its body. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { readBody } from './bodies.ts'
import { startConformance } from './harness.ts'
import { answerOf, continued, openRequest } from './raw-socket.ts'
import { begin } from './uploads.ts'

const { address, region, credentials, client, newBucket } = await startConformance()
const signer = { address, region, credentials }
const Bucket = await newBucket()
const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket, Key: 'there', Body: 'before' }))

const { UploadId } = await begin(client, Bucket, 'upload')

const LENGTH = { 'content-length': '5' }
const UNSIGNED = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
const CHUNKED = {
  'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'content-encoding': 'aws-chunked',
}

const open = (target: string, headers: Readonly<Record<string, string>>, method = 'PUT') =>
  openRequest(signer, { method, target, headers: { expect: '100-continue', ...UNSIGNED, ...headers } })

describe('answered before the body', () => {
  const none = '0'.repeat(32)
  const cases: readonly (readonly [
    name: string,
    target: string,
    headers: Readonly<Record<string, string>>,
    status: number,
    code: string,
  ])[] = [
    [
      'If-None-Match: * of a key that is there',
      'there',
      { ...LENGTH, 'if-none-match': '*' },
      412,
      'PreconditionFailed',
    ],
    ['If-Match of another ETag', 'there', { ...LENGTH, 'if-match': '"0"' }, 412, 'PreconditionFailed'],
    ['If-Match of a key that is not there', 'none', { ...LENGTH, 'if-match': ETag }, 404, 'NoSuchKey'],
    [
      'a condition that writes do not have',
      'there',
      { ...LENGTH, 'if-none-match': ETag },
      501,
      'NotImplemented',
    ],
    ['no length', 'there', {}, 411, 'MissingContentLength'],
    [
      'no length of what is in chunks',
      'there',
      { ...CHUNKED, 'transfer-encoding': 'chunked' },
      411,
      'MissingContentLength',
    ],
    [
      'chunks that hide their length',
      'there',
      { ...CHUNKED, ...LENGTH, 'x-amz-decoded-content-length': 'five' },
      411,
      'MissingContentLength',
    ],
    ['more than 5 GiB', 'there', { 'content-length': String(5 * 2 ** 30 + 1) }, 400, 'EntityTooLarge'],
    [
      'more than 5 GiB in chunks',
      'there',
      { ...CHUNKED, ...LENGTH, 'x-amz-decoded-content-length': String(5 * 2 ** 30 + 1) },
      400,
      'EntityTooLarge',
    ],
    ['a checksum that is none', 'there', { ...LENGTH, 'x-amz-checksum-crc32': 'no' }, 400, 'InvalidRequest'],
    ['a part of no upload', `there?partNumber=1&uploadId=${none}`, LENGTH, 404, 'NoSuchUpload'],
    [
      'a part with a number that is none',
      `upload?partNumber=10001&uploadId=${UploadId}`,
      LENGTH,
      400,
      'InvalidArgument',
    ],
  ]
  for (const [name, target, headers, status, code] of cases) {
    test(name, async () => {
      const socket = await open(`/${Bucket}/${target}`, headers)
      assert.deepEqual(await answerOf(socket), { status, code })
    })
  }

  test('and nothing was changed', async () => {
    assert.equal((await readBody(client, Bucket, 'there')).toString(), 'before')
    await assert.rejects(client.send(new HeadObjectCommand({ Bucket, Key: 'none' })))
  })
})

describe('asked for, and stored', () => {
  const store = async (target: string, headers: Readonly<Record<string, string>>) => {
    const socket = await open(target, { ...LENGTH, ...headers })
    await continued(socket)
    socket.write('after')
    return await answerOf(socket)
  }

  test('If-Match that holds', async () => {
    assert.deepEqual(await store(`/${Bucket}/there`, { 'if-match': ETag }), { status: 200, code: undefined })
    assert.equal((await readBody(client, Bucket, 'there')).toString(), 'after')
  })

  test('If-None-Match: * of a key that is not there, or is behind a delete marker', async () => {
    const Versioned = await newBucket()
    const VersioningConfiguration = { Status: 'Enabled' } as const
    await client.send(new PutBucketVersioningCommand({ Bucket: Versioned, VersioningConfiguration }))
    const target = `/${Versioned}/key`
    assert.equal((await store(target, { 'if-none-match': '*' })).status, 200)
    await client.send(new DeleteObjectCommand({ Bucket: Versioned, Key: 'key' }))
    assert.equal((await store(target, { 'if-none-match': '*' })).status, 200)
  })

  test('a condition that ceased to hold meanwhile is the commit’s to refuse', async () => {
    const socket = await open(`/${Bucket}/late`, { ...LENGTH, 'if-none-match': '*' })
    await continued(socket)
    await client.send(new PutObjectCommand({ Bucket, Key: 'late', Body: 'first' }))
    socket.write('after')
    assert.deepEqual(await answerOf(socket), { status: 412, code: 'PreconditionFailed' })
    assert.equal((await readBody(client, Bucket, 'late')).toString(), 'first')
  })
})
