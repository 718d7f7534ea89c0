import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GetObjectCommand, PutObjectCommand, RenameObjectCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket } = await startConformance()

/**
 * RenameObject is of directory buckets only (API Reference, RenameObject). What others answer is 501 NotImplemented, as
 * AWS's own file client reads it (awslabs/mountpoint-s3, parse_rename_object_error: 501 is "not supported here").
 */
test('a bucket that is no directory bucket does not rename', async () => {
  const Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key: 'old', Body: 'body' }))
  const rename = new RenameObjectCommand({ Bucket, Key: 'new', RenameSource: 'old', ClientToken: 'once' })
  await assert.rejects(client.send(rename), s3Error('NotImplemented', 501))
  await client.send(new GetObjectCommand({ Bucket, Key: 'old' }))
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key: 'new' })), s3Error('NoSuchKey', 404))
})
