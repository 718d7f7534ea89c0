import assert from 'node:assert/strict'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  waitUntilBucketExists,
  waitUntilBucketNotExists,
  waitUntilObjectExists,
  waitUntilObjectNotExists,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { startCluster, temporaryFolder } from '../harness.ts'
import { digestOf, makeFile } from '../tools.ts'
import { LARGE_BYTES } from './sizes.ts'

const MIB = 1024 * 1024

test("the SDK's Upload with parts in parallel", async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  await makeFile(up, 'upload', LARGE_BYTES)
  const client = cluster.client(0)
  await client.send(new CreateBucketCommand({ Bucket: 'upload' }))
  const Body = createReadStream(up)
  const params = { Bucket: 'upload', Key: 'large', Body }
  await new Upload({ client, params, queueSize: 4, partSize: 8 * MIB }).done()
  const read = await cluster.client(1).send(new GetObjectCommand({ Bucket: 'upload', Key: 'large' }))
  assert.equal(read.ContentLength, LARGE_BYTES)
  assert.ok(read.Body instanceof Readable)
  await pipeline(read.Body, createWriteStream(down))
  assert.equal(await digestOf(down), await digestOf(up))
})

test("the SDK's waiters, paginators and presigned requests", async (t) => {
  const cluster = await startCluster(t)
  const client = cluster.client()
  const waiting = { client, maxWaitTime: 30, minDelay: 1 }
  const bucket = { Bucket: 'waiters' }
  await waitUntilBucketNotExists(waiting, bucket)
  await client.send(new CreateBucketCommand(bucket))
  await waitUntilBucketExists(waiting, bucket)
  const keys = Array.from({ length: 25 }, (_key, index) => `key ${String(index).padStart(2, '0')} +ü`)
  for (const Key of keys) {
    const url = await getSignedUrl(client, new PutObjectCommand({ ...bucket, Key }), { expiresIn: 60 })
    const put = await fetch(url, { method: 'PUT', body: `body of ${Key}` })
    assert.equal(put.status, 200)
    const read = await fetch(await getSignedUrl(client, new GetObjectCommand({ ...bucket, Key })))
    assert.equal(await read.text(), `body of ${Key}`)
  }
  const listed: (string | undefined)[] = []
  for await (const page of paginateListObjectsV2({ client, pageSize: 4 }, bucket)) {
    listed.push(...(page.Contents ?? []).map(({ Key }) => Key))
  }
  assert.deepEqual(listed, keys)
  await waitUntilObjectExists(waiting, { ...bucket, Key: keys[0] ?? '' })
  for (const Key of keys) await client.send(new DeleteObjectCommand({ ...bucket, Key }))
  await waitUntilObjectNotExists(waiting, { ...bucket, Key: keys[0] ?? '' })
  await client.send(new DeleteBucketCommand(bucket))
  await waitUntilBucketNotExists(waiting, bucket)
})
