/**
 * Keys that a path would have changed: S3 normalises nothing, and `.` and `..` are segments like any other.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
 */
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { after, describe, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { DOMAIN, startConformance } from './harness.ts'

const { client, raw, newBucket, address, region, credentials } = await startConformance()

const keys = [
  '.',
  '..',
  './a',
  '../a',
  'a/.',
  'a/..',
  'a/./b',
  'a/../b',
  'a/../../b',
  '/',
  '//',
  '/a',
  '//a',
  'a/',
  'a//',
  'a//b',
  'a///b',
  '...',
  '%2e%2e',
  'a\\..\\b',
] as const

/** A client that names buckets in the host; every name is this machine's. */
const virtual = new s3.S3Client({
  region,
  credentials,
  endpoint: `http://${DOMAIN}:${address.slice(address.lastIndexOf(':') + 1)}`,
  maxAttempts: 1,
  requestHandler: {
    httpAgent: new Agent({
      lookup: (_name, _options, found) => {
        found(null, [{ address: '127.0.0.1', family: 4 }])
      },
    }),
  },
})
after(() => {
  virtual.destroy()
})

const escaped = (key: string): string => encodeURIComponent(key).replaceAll('%2F', '/')

async function listed(Bucket: string): Promise<string[]> {
  const { Contents = [] } = await client.send(new s3.ListObjectsV2Command({ Bucket }))
  return Contents.map(({ Key = '' }) => Key)
}

for (const [style, by] of [
  ['path style', client],
  ['virtual-host style', virtual],
] as const) {
  describe(style, () => {
    test('the SDK: each key is its own', async () => {
      const Bucket = await newBucket()
      for (const Key of keys) await by.send(new s3.PutObjectCommand({ Bucket, Key, Body: Key }))
      assert.deepEqual(await listed(Bucket), keys.toSorted())
      for (const Key of keys) {
        const { Body } = await by.send(new s3.GetObjectCommand({ Bucket, Key }))
        assert.equal(await Body?.transformToString(), Key)
        await by.send(
          new s3.CopyObjectCommand({
            Bucket,
            Key,
            CopySource: `${Bucket}/${escaped(Key)}`,
            MetadataDirective: 'REPLACE',
          }),
        )
      }
      const { Deleted } = await by.send(
        new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }),
      )
      assert.equal(Deleted?.length, keys.length)
      assert.deepEqual(await listed(Bucket), [])
    })

    test('paths as they are, segments escaped or not', async () => {
      const Bucket = await newBucket()
      const target = (path: string) =>
        style === 'path style'
          ? { target: `/${Bucket}/${path}` }
          : { target: `/${path}`, headers: { host: `${Bucket}.${DOMAIN}` } }
      for (const Key of keys) {
        const put = await raw({ method: 'PUT', ...target(escaped(Key)), body: Key })
        assert.equal(put.status, 200, Key)
        for (const path of [escaped(Key), encodeURIComponent(Key), escaped(Key).replaceAll('.', '%2E')]) {
          const got = await raw(target(path))
          assert.deepEqual([got.status, got.body], [200, Key], path)
        }
        assert.equal((await raw({ method: 'DELETE', ...target(escaped(Key)) })).status, 204)
        assert.deepEqual(await listed(Bucket), [], Key)
      }
    })
  })
}

test('in a copy source nothing is normalised either', async () => {
  const Bucket = await newBucket()
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'b', Body: 'not this' }))
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'a/../b', Body: 'this' }))
  await client.send(new s3.CopyObjectCommand({ Bucket, Key: 'c', CopySource: `/${Bucket}/a/../b` }))
  const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key: 'c' }))
  assert.equal(await Body?.transformToString(), 'this')
})
