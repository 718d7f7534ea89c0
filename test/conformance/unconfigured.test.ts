/** Configurations that cannot be made yet: what is answered to the tools that read them of every bucket. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

const absent = [
  ['encryption', 'ServerSideEncryptionConfigurationNotFoundError'],
  ['lifecycle', 'NoSuchLifecycleConfiguration'],
  ['object-lock', 'ObjectLockConfigurationNotFoundError'],
  ['policy', 'NoSuchBucketPolicy'],
  ['policyStatus', 'NoSuchBucketPolicy'],
  ['publicAccessBlock', 'NoSuchPublicAccessBlockConfiguration'],
  ['replication', 'ReplicationConfigurationNotFoundError'],
  ['website', 'NoSuchWebsiteConfiguration'],
] as const

const empty = [
  ['accelerate', 'AccelerateConfiguration', ''],
  ['logging', 'BucketLoggingStatus', ''],
  ['notification', 'NotificationConfiguration', ''],
  ['requestPayment', 'RequestPaymentConfiguration', '<Payer>BucketOwner</Payer>'],
] as const

for (const [subresource, code] of absent) {
  test(`${subresource}: ${code}, with the name of the bucket`, async () => {
    const Bucket = await newBucket()
    const answer = await raw({ target: `/${Bucket}?${subresource}` })
    assert.deepEqual([answer.status, answer.code], [404, code])
    assert.match(answer.body, new RegExp(`<BucketName>${Bucket}</BucketName>`))
  })
}

for (const [subresource, root, content] of empty) {
  test(`${subresource}: ${root}, ${content || 'empty'}`, async () => {
    const answer = await raw({ target: `/${await newBucket()}?${subresource}` })
    assert.equal(answer.status, 200)
    const document = new RegExp(`<${root} xmlns="[^"]*"(?:/>|>${content}</${root}>)$`)
    assert.match(answer.body, document)
  })
}

test('the SDK reads them', async () => {
  const Bucket = await newBucket()
  const payment = await client.send(new s3.GetBucketRequestPaymentCommand({ Bucket }))
  assert.equal(payment.Payer, 'BucketOwner')
  const acceleration = await client.send(new s3.GetBucketAccelerateConfigurationCommand({ Bucket }))
  assert.equal(acceleration.Status, undefined)
  const logging = await client.send(new s3.GetBucketLoggingCommand({ Bucket }))
  assert.equal(logging.LoggingEnabled, undefined)
  const events = await client.send(new s3.GetBucketNotificationConfigurationCommand({ Bucket }))
  const { TopicConfigurations, QueueConfigurations, LambdaFunctionConfigurations } = events
  assert.deepEqual(
    [TopicConfigurations, QueueConfigurations, LambdaFunctionConfigurations],
    [undefined, undefined, undefined],
  )
  const policy = client.send(new s3.GetBucketPolicyCommand({ Bucket }))
  await assert.rejects(policy, s3Error('NoSuchBucketPolicy', 404, 'The bucket policy does not exist'))
})

describe('of no bucket, and for strangers', () => {
  for (const [subresource] of [...absent, ...empty]) {
    test(subresource, async () => {
      const missing = await raw({ target: `/not-there?${subresource}` })
      assert.deepEqual([missing.status, missing.code], [404, 'NoSuchBucket'])
      const stranger = await raw({ target: `/${await newBucket()}?${subresource}`, signed: false })
      assert.deepEqual([stranger.status, stranger.code], [403, 'AccessDenied'])
    })
  }
})

test('making one is still refused by name', async () => {
  const Bucket = await newBucket()
  for (const subresource of ['policy', 'lifecycle', 'encryption', 'website']) {
    const { status, code } = await raw({ method: 'PUT', target: `/${Bucket}?${subresource}`, body: 'x' })
    assert.deepEqual([status, code], [501, 'NotImplemented'], subresource)
  }
})
