import assert from 'node:assert/strict'
import { afterEach, before, test } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw, faults, heal } = await startConformance()

const Key = 'a key'
let Bucket = ''
const put = async (): Promise<string> =>
  (await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))).ETag ?? ''
const isThere = async (): Promise<boolean> => {
  const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))
  return KeyCount === 1
}

before(async () => {
  Bucket = await newBucket()
})

afterEach(heal)

test('204 without a body, and the object is gone at once', async () => {
  await put()
  const answer = await raw({ method: 'DELETE', target: `/${Bucket}/a%20key` })
  assert.deepEqual([answer.status, answer.body, answer.headers['x-amz-delete-marker']], [204, '', undefined])
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key })), s3Error('NoSuchKey', 404))
  assert.equal(await isThere(), false)
})

test('what is not there is deleted as well', async () => {
  const { $metadata } = await client.send(new DeleteObjectCommand({ Bucket, Key: 'never was' }))
  assert.equal($metadata.httpStatusCode, 204)
})

test('If-Match: the tag, any, another, none there', async () => {
  for (const match of [(tag: string) => tag, () => '*', (tag: string) => tag.replaceAll('"', '')]) {
    const tag = await put()
    await client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: match(tag) }))
    assert.equal(await isThere(), false)
  }
  const absent = client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: '*' }))
  await assert.rejects(absent, s3Error('NoSuchKey', 404))
  await put()
  const another = client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: '"another"' }))
  await assert.rejects(another, s3Error('PreconditionFailed', 412))
  assert.equal(await isThere(), true)
})

test('the null version is the object; others are not built, nor the conditions of directory buckets', async () => {
  await put()
  for (const [query, headers] of [
    ['?versionId=abc', {}],
    ['', { 'x-amz-if-match-size': '4' }],
    ['', { 'x-amz-if-match-last-modified-time': new Date().toUTCString() }],
  ] as const) {
    const answer = await raw({ method: 'DELETE', target: `/${Bucket}/a%20key${query}`, headers })
    assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
  }
  assert.equal(await isThere(), true)
  await client.send(new DeleteObjectCommand({ Bucket, Key, VersionId: 'null' }))
  assert.equal(await isThere(), false)
})

test('NoSuchBucket, AccessDenied', async () => {
  const nowhere = client.send(new DeleteObjectCommand({ Bucket: 'not-there', Key }))
  await assert.rejects(nowhere, s3Error('NoSuchBucket', 404))
  await put()
  const denied = client.send(new DeleteObjectCommand({ Bucket, Key, ExpectedBucketOwner: '111122223333' }))
  await assert.rejects(denied, s3Error('AccessDenied', 403))
  assert.equal((await raw({ method: 'DELETE', target: `/${Bucket}/a%20key`, signed: false })).status, 403)
  await client.send(new HeadObjectCommand({ Bucket, Key }))
})

test('metadata out of reach is a 503 that clients retry', async () => {
  faults.metadata = () => new MetadataError(FailureCode.UNAVAILABLE, 'secret address of metadata')
  const sent = client.send(new DeleteObjectCommand({ Bucket, Key }))
  await assert.rejects(sent, s3Error('ServiceUnavailable', 503, 'Service is unable to handle request.'))
})
