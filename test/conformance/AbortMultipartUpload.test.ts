import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { readBody } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { bare, begin, complete, upload } from './uploads.ts'

const { client, raw, newBucket } = await startConformance()
const Bucket = await newBucket()

test('an aborted upload and its parts are gone; the object of that name stays', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'as before' }))
  const place = await begin(client, Bucket, 'key')
  const part = await upload(client, place, 1, 'part')
  const { $metadata } = await client.send(new AbortMultipartUploadCommand(place))
  assert.equal($metadata.httpStatusCode, 204)
  await assert.rejects(client.send(new ListPartsCommand(place)), s3Error('NoSuchUpload', 404))
  await assert.rejects(complete(client, place, [bare(part)]), s3Error('NoSuchUpload', 404))
  await assert.rejects(upload(client, place, 2, 'late'), s3Error('NoSuchUpload', 404))
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  assert.deepEqual(Uploads, [])
  assert.equal((await readBody(client, Bucket, 'key')).toString(), 'as before')
})

test('only one of two uploads of a key', async () => {
  const kept = await begin(client, Bucket, 'two')
  const gone = await begin(client, Bucket, 'two')
  await client.send(new AbortMultipartUploadCommand(gone))
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: 'two' }))
  assert.deepEqual(
    Uploads.map(({ UploadId }) => UploadId),
    [kept.UploadId],
  )
})

test('one that is not there, or is over, is NoSuchUpload', async () => {
  const place = await begin(client, Bucket, 'over')
  const part = await upload(client, place, 1, 'part')
  await complete(client, place, [bare(part)])
  const abort = (more: object) => client.send(new AbortMultipartUploadCommand({ ...place, ...more }))
  await assert.rejects(abort({}), s3Error('NoSuchUpload', 404))
  await assert.rejects(abort({ UploadId: '0'.repeat(32) }), s3Error('NoSuchUpload', 404))
  await assert.rejects(abort({ UploadId: '..%2F' }), s3Error('NoSuchUpload', 404))
  await assert.rejects(abort({ Bucket: 'no-such-bucket' }), s3Error('NoSuchBucket', 404))
  assert.equal((await readBody(client, Bucket, 'over')).toString(), 'part')
  const answer = await raw({ method: 'DELETE', target: `/${Bucket}/over?uploadId=${place.UploadId}` })
  assert.match(answer.body, new RegExp(`<UploadId>${place.UploadId}</UploadId>`))
})

test('its condition is for directory buckets only', async () => {
  const place = await begin(client, Bucket, 'condition')
  const command = new AbortMultipartUploadCommand({ ...place, IfMatchInitiatedTime: new Date() })
  await assert.rejects(client.send(command), s3Error('NotImplemented', 501))
})
