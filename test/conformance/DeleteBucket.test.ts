import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeleteBucketCommand, HeadBucketCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { putEmpty } from './objects.ts'

const { client, newBucket, raw, metadata } = await startConformance()

test('an empty bucket is gone: 204 without a body', async () => {
  const Bucket = await newBucket()
  const answer = await raw({ method: 'DELETE', target: `/${Bucket}` })
  assert.deepEqual([answer.status, answer.body], [204, ''])
  await assert.rejects(client.send(new HeadBucketCommand({ Bucket })), s3Error('NotFound', 404))
})

test('a bucket with an object is BucketNotEmpty, and stays', async () => {
  const Bucket = await newBucket()
  await putEmpty(metadata, Bucket, ['key'])
  const answer = await raw({ method: 'DELETE', target: `/${Bucket}` })
  assert.deepEqual([answer.status, answer.code], [409, 'BucketNotEmpty'])
  assert.match(answer.body, new RegExp(`<BucketName>${Bucket}</BucketName>`))
  await client.send(new HeadBucketCommand({ Bucket }))
  await metadata.call('deleteObject', { bucket: Bucket, key: 'key' })
  await client.send(new DeleteBucketCommand({ Bucket }))
})

test('a bucket that is not there is NoSuchBucket', async () => {
  const command = new DeleteBucketCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
})

test('x-amz-expected-bucket-owner: the bucket of another is not deleted', async () => {
  const Bucket = await newBucket()
  const command = new DeleteBucketCommand({ Bucket, ExpectedBucketOwner: '111122223333' })
  await assert.rejects(client.send(command), s3Error('AccessDenied', 403))
  await client.send(new HeadBucketCommand({ Bucket }))
})
