import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetBucketLocationCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const classic = await startConformance()
const frankfurt = await startConformance('eu-central-1')

test('null in us-east-1', async () => {
  const Bucket = await classic.newBucket()
  const { LocationConstraint } = await classic.client.send(new GetBucketLocationCommand({ Bucket }))
  assert.ok(!LocationConstraint)
  const { status, body } = await classic.raw({ target: `/${Bucket}?location` })
  assert.equal(status, 200)
  const empty = '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>'
  assert.equal(body.replace(/^<\?xml[^>]*\?>\s*/, ''), empty)
})

test('the constraint elsewhere', async () => {
  const Bucket = await frankfurt.newBucket()
  const answer = await frankfurt.client.send(new GetBucketLocationCommand({ Bucket }))
  assert.equal(answer.LocationConstraint, 'eu-central-1')
})

test('NoSuchBucket', async () => {
  const command = new GetBucketLocationCommand({ Bucket: 'not-there' })
  await assert.rejects(classic.client.send(command), s3Error('NoSuchBucket', 404))
})
