import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadBucketCommand } from '@aws-sdk/client-s3'
import { startConformance } from './harness.ts'

const { client, newBucket, raw, metadata } = await startConformance('eu-central-1')

test('says the Region', async () => {
  const Bucket = await newBucket()
  const { BucketRegion, AccessPointAlias } = await client.send(new HeadBucketCommand({ Bucket }))
  assert.deepEqual(
    { BucketRegion, AccessPointAlias },
    { BucketRegion: 'eu-central-1', AccessPointAlias: false },
  )
})

test('a bucket that is not there is 404 without a body', async () => {
  const answer = await raw({ method: 'HEAD', target: '/not-there' })
  assert.deepEqual([answer.status, answer.body], [404, ''])
  assert.ok(answer.headers['x-amz-request-id'])
})

test('x-amz-expected-bucket-owner holds, or it is 403', async () => {
  const Bucket = await newBucket()
  const { bucket } = await metadata.call('getBucket', { name: Bucket })
  await client.send(new HeadBucketCommand({ Bucket, ExpectedBucketOwner: bucket?.owner }))
  const headers = { 'x-amz-expected-bucket-owner': '111122223333' }
  const answer = await raw({ method: 'HEAD', target: `/${Bucket}`, headers })
  assert.deepEqual([answer.status, answer.body], [403, ''])
  assert.equal((await raw({ method: 'HEAD', target: '/not-there', headers })).status, 404)
})

test('anonymous requests are 403, whether or not the bucket exists', async () => {
  const Bucket = await newBucket()
  for (const target of [`/${Bucket}`, '/not-there']) {
    assert.equal((await raw({ method: 'HEAD', target, signed: false })).status, 403)
  }
})
