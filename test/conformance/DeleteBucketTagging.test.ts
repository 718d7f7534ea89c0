import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeleteBucketTaggingCommand,
  GetBucketTaggingCommand,
  PutBucketTaggingCommand,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket } = await startConformance()

test('the tags are gone: 204, and again 204 when there are none', async () => {
  const Bucket = await newBucket()
  const Tagging = { TagSet: [{ Key: 'k', Value: 'v' }] }
  await client.send(new PutBucketTaggingCommand({ Bucket, Tagging }))
  for (let times = 0; times < 2; times++) {
    const { $metadata } = await client.send(new DeleteBucketTaggingCommand({ Bucket }))
    assert.equal($metadata.httpStatusCode, 204)
    await assert.rejects(client.send(new GetBucketTaggingCommand({ Bucket })), s3Error('NoSuchTagSet', 404))
  }
})

test('NoSuchBucket', async () => {
  const command = new DeleteBucketTaggingCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
})
