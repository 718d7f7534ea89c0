import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeleteBucketCorsCommand, GetBucketCorsCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

test('the configuration is gone: 204, and again 204 when there is none', async () => {
  const Bucket = await newBucket()
  const CORSConfiguration = { CORSRules: [{ AllowedMethods: ['GET'], AllowedOrigins: ['*'] }] }
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }))
  const preflight = () =>
    raw({
      method: 'OPTIONS',
      target: `/${Bucket}`,
      headers: { origin: 'http://a.example', 'access-control-request-method': 'GET' },
      signed: false,
    })
  assert.equal((await preflight()).status, 200)
  for (let times = 0; times < 2; times++) {
    const { $metadata } = await client.send(new DeleteBucketCorsCommand({ Bucket }))
    assert.equal($metadata.httpStatusCode, 204)
    const command = new GetBucketCorsCommand({ Bucket })
    await assert.rejects(client.send(command), s3Error('NoSuchCORSConfiguration', 404))
    assert.equal((await preflight()).status, 403)
  }
})

test('NoSuchBucket', async () => {
  const command = new DeleteBucketCorsCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
})
