import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetBucketCorsCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

test('the rules, and nothing that was not given', async () => {
  const Bucket = await newBucket()
  const CORSRules = [{ AllowedMethods: ['GET', 'HEAD'], AllowedOrigins: ['http://a.example'] }]
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }))
  const { status, body } = await raw({ target: `/${Bucket}?cors` })
  assert.equal(status, 200)
  const rule =
    '<CORSRule><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedOrigin>http://a.example</AllowedOrigin></CORSRule>'
  assert.equal(
    body.replace(/^<\?xml[^>]*\?>\s*/, ''),
    `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${rule}</CORSConfiguration>`,
  )
})

test('NoSuchCORSConfiguration names the bucket', async () => {
  const Bucket = await newBucket()
  const answer = await raw({ target: `/${Bucket}?cors` })
  assert.deepEqual([answer.status, answer.code], [404, 'NoSuchCORSConfiguration'])
  assert.match(answer.body, /<Message>The CORS configuration does not exist<\/Message>/)
  assert.match(answer.body, new RegExp(`<BucketName>${Bucket}</BucketName>`))
})

test('NoSuchBucket; AccessDenied for strangers', async () => {
  const command = new GetBucketCorsCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
  const { status, code } = await raw({ target: `/${await newBucket()}?cors`, signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
