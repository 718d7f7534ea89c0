/** The AWS SDK against the whole frame: real signatures, real bodies, toy handlers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { createAuthenticator } from '../authenticate/authenticate.ts'
import type { Account } from '../accounts/account.ts'
import { fixedTimeMs, startToyGateway, toyRoot } from './testing.ts'

const secret = 'not-a-real-secret'

async function start() {
  const authenticate = createAuthenticator<Account>({
    credentials: {
      find: async (accessKey) => (accessKey === 'AKIDROOT' ? { secret, principal: toyRoot } : undefined),
    },
    endpoint: { region: 'us-east-1', services: ['s3'] },
    digests: nodeDigests,
    nowMs: () => fixedTimeMs,
  })
  const toy = await startToyGateway({}, authenticate)
  const client = (secretAccessKey = secret, options: s3.S3ClientConfig = {}) =>
    new s3.S3Client({
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${toy.port}`,
      forcePathStyle: true,
      maxAttempts: 1,
      // The gateway's clock stands still; the SDK follows it.
      systemClockOffset: fixedTimeMs - Date.now(),
      credentials: { accessKeyId: 'AKIDROOT', secretAccessKey },
      ...options,
    })
  return { toy, client, [Symbol.asyncDispose]: () => toy[Symbol.asyncDispose]() }
}

describe('the AWS SDK', () => {
  it('puts with its default checksum trailer, and with a plain signed body', async () => {
    await using env = await start()
    const body = 'x'.repeat(200_000)
    for (const options of [{}, { requestChecksumCalculation: 'WHEN_REQUIRED' as const }]) {
      const put = await env
        .client(secret, options)
        .send(
          new s3.PutObjectCommand({ Bucket: 'bucket', Key: 'a b/+ü', Body: body, Metadata: { note: 'x' } }),
        )
      assert.equal(put.ETag, '"4b98146705d4b0b98b758a78ff6fb73f"')
      assert.match(put.$metadata.requestId ?? '', /^[0-9A-F]{16}$/)
    }
    assert.deepEqual(
      env.toy.records.map(({ status, key }) => [status, key]),
      [
        [200, 'a b/+ü'],
        [200, 'a b/+ü'],
      ],
    )
  })

  it('gets, lists and deletes', async () => {
    await using env = await start()
    const client = env.client()
    const got = await client.send(new s3.GetObjectCommand({ Bucket: 'bucket', Key: 'hello' }))
    assert.equal(await got.Body?.transformToString(), 'hello')
    const list = await client.send(
      new s3.ListObjectsV2Command({ Bucket: 'bucket', Prefix: 'a b', MaxKeys: 7 }),
    )
    assert.deepEqual([list.Name, list.Prefix, list.MaxKeys], ['bucket', 'a b', 7])
    const deleted = await client.send(
      new s3.DeleteObjectsCommand({ Bucket: 'bucket', Delete: { Objects: [{ Key: 'a&b' }, { Key: 'c' }] } }),
    )
    assert.deepEqual(deleted.Deleted, [{ Key: 'a&b' }, { Key: 'c' }])
    const { Buckets } = await client.send(new s3.ListBucketsCommand({}))
    assert.deepEqual(Buckets, [{ Name: 'b1', CreationDate: new Date(0) }])
    const { LocationConstraint } = await client.send(new s3.GetBucketLocationCommand({ Bucket: 'bucket' }))
    assert.equal(LocationConstraint, 'us-west-2')
  })

  it('sees its own error classes', async () => {
    await using env = await start()
    const get = new s3.GetObjectCommand({ Bucket: 'bucket', Key: 'none' })
    await assert.rejects(env.client().send(get), s3.NoSuchKey)
    const head = new s3.HeadObjectCommand({ Bucket: 'bucket', Key: 'none' })
    await assert.rejects(env.client().send(head), s3.NotFound)
    await assert.rejects(env.client('wrong').send(get), { name: 'SignatureDoesNotMatch' })
    const unbuilt = new s3.GetBucketVersioningCommand({ Bucket: 'bucket' })
    await assert.rejects(env.client().send(unbuilt), {
      name: 'NotImplemented',
      message: /GetBucketVersioning/,
    })
    // A body cut midway is an error to the reader, never a short success.
    await assert.rejects(async () => {
      const cut = await env.client().send(new s3.GetObjectCommand({ Bucket: 'bucket', Key: 'breaks' }))
      await cut.Body?.transformToString()
    })
  })

  it('presigns URLs that anyone can use', async () => {
    await using env = await start()
    const url = await getSignedUrl(
      env.client(),
      new s3.GetObjectCommand({ Bucket: 'bucket', Key: 'hello' }),
      {
        signingDate: new Date(fixedTimeMs),
      },
    )
    assert.equal(await (await fetch(url)).text(), 'hello')
    const changed = await fetch(url.replace('hello', 'empty'))
    assert.equal(changed.status, 403)
    assert.match(await changed.text(), /SignatureDoesNotMatch/)
  })
})
