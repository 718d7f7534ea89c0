import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
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

test('versions and delete markers count, and the message says so', async () => {
  const Bucket = await newBucket()
  const VersioningConfiguration = { Status: 'Enabled' as const }
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
  const { VersionId } = await client.send(new PutObjectCommand({ Bucket, Key: 'key' }))
  const marker = await client.send(new DeleteObjectCommand({ Bucket, Key: 'key' }))
  const message = 'The bucket you tried to delete is not empty. You must delete all versions in the bucket.'
  for (const version of [VersionId, marker.VersionId]) {
    const command = new DeleteBucketCommand({ Bucket })
    await assert.rejects(client.send(command), s3Error('BucketNotEmpty', 409, message))
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'key', VersionId: version }))
  }
  await client.send(new DeleteBucketCommand({ Bucket }))
})

test('a bucket of the same name has nothing of the one before', async () => {
  const Bucket = await newBucket()
  const VersioningConfiguration = { Status: 'Enabled' as const }
  const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] }
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
  await client.send(new PutBucketTaggingCommand({ Bucket, Tagging }))
  await client.send(new DeleteBucketCommand({ Bucket }))
  await client.send(new CreateBucketCommand({ Bucket }))
  const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }))
  assert.equal(Status, undefined)
  await assert.rejects(client.send(new GetBucketTaggingCommand({ Bucket })), s3Error('NoSuchTagSet', 404))
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
