import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeleteBucketOwnershipControlsCommand,
  GetBucketOwnershipControlsCommand,
  PutBucketOwnershipControlsCommand,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

test('the controls are gone: 204, and again 204 when there are none; new ones can be made', async () => {
  const Bucket = await newBucket()
  for (let times = 0; times < 2; times++) {
    const { $metadata } = await client.send(new DeleteBucketOwnershipControlsCommand({ Bucket }))
    assert.equal($metadata.httpStatusCode, 204)
    const answer = await raw({ target: `/${Bucket}?ownershipControls` })
    assert.deepEqual([answer.status, answer.code], [404, 'OwnershipControlsNotFoundError'])
    assert.match(answer.body, new RegExp(`<BucketName>${Bucket}</BucketName>`))
  }
  const OwnershipControls = { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' as const }] }
  await client.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }))
  const now = await client.send(new GetBucketOwnershipControlsCommand({ Bucket }))
  assert.deepEqual(now.OwnershipControls, OwnershipControls)
})

test('NoSuchBucket', async () => {
  const command = new DeleteBucketOwnershipControlsCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
})
