import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeadBucketCommand } from '@aws-sdk/client-s3'
import { root } from './accounts.ts'
import { startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance('eu-central-1')

test('says the Region and the name', async () => {
  const Bucket = await newBucket()
  const answer = await client.send(new HeadBucketCommand({ Bucket }))
  const { BucketArn, BucketRegion, AccessPointAlias } = answer
  assert.deepEqual(
    { BucketArn, BucketRegion, AccessPointAlias },
    { BucketArn: `arn:aws:s3:::${Bucket}`, BucketRegion: 'eu-central-1', AccessPointAlias: false },
  )
})

test('a bucket that is not there is 404 without a body', async () => {
  const answer = await raw({ method: 'HEAD', target: '/not-there' })
  assert.deepEqual([answer.status, answer.body], [404, ''])
  assert.ok(answer.headers['x-amz-request-id'])
})

test('x-amz-expected-bucket-owner holds, or it is 403', async () => {
  const Bucket = await newBucket()
  await client.send(new HeadBucketCommand({ Bucket, ExpectedBucketOwner: root.accountId }))
  const headers = { 'x-amz-expected-bucket-owner': '111122223333' }
  const answer = await raw({ method: 'HEAD', target: `/${Bucket}`, headers })
  assert.deepEqual([answer.status, answer.body], [403, ''])
  assert.equal((await raw({ method: 'HEAD', target: '/not-there', headers })).status, 404)
})

test('an unsigned request learns whether there is such a bucket, and no more', async () => {
  const Bucket = await newBucket()
  for (const [target, status] of [
    [`/${Bucket}`, 403],
    ['/not-there', 404],
  ] as const) {
    assert.equal((await raw({ method: 'HEAD', target, signed: false })).status, status)
  }
})

test('the Region is said of buckets and their listings, to those who are refused as well', async () => {
  const Bucket = await newBucket()
  for (const [method, target, signed, region] of [
    ['HEAD', `/${Bucket}`, true, 'eu-central-1'],
    ['HEAD', `/${Bucket}`, false, 'eu-central-1'],
    ['GET', `/${Bucket}`, true, 'eu-central-1'],
    ['GET', `/${Bucket}?list-type=2`, true, 'eu-central-1'],
    ['GET', `/${Bucket}?list-type=2`, false, 'eu-central-1'],
    ['HEAD', '/not-there', true, undefined],
    ['GET', '/not-there', true, undefined],
    ['GET', `/${Bucket}/key`, true, undefined],
    ['GET', `/${Bucket}?tagging`, true, undefined],
  ] as const) {
    const { headers } = await raw({ method, target, signed })
    assert.equal(headers['x-amz-bucket-region'], region, `${method} ${target} ${signed}`)
  }
})
