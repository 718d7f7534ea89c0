import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetBucketTaggingCommand, PutBucketTaggingCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

test('the tags', async () => {
  const Bucket = await newBucket()
  const TagSet = [{ Key: 'k', Value: 'v' }]
  await client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }))
  assert.deepEqual((await client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet, TagSet)
  const { body } = await raw({ target: `/${Bucket}?tagging` })
  assert.match(
    body,
    /<Tagging [^>]*><TagSet><Tag><Key>k<\/Key><Value>v<\/Value><\/Tag><\/TagSet><\/Tagging>$/,
  )
})

test('NoSuchTagSet names the bucket', async () => {
  const Bucket = await newBucket()
  const answer = await raw({ target: `/${Bucket}?tagging` })
  assert.deepEqual([answer.status, answer.code], [404, 'NoSuchTagSet'])
  assert.match(answer.body, new RegExp(`<BucketName>${Bucket}</BucketName>`))
})

test('NoSuchBucket; AccessDenied for strangers', async () => {
  const command = new GetBucketTaggingCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
  const { status, code } = await raw({ target: `/${await newBucket()}?tagging`, signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
