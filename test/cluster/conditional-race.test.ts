/**
 * A thousand writers at once under the same condition, over several gateways: exactly one wins every round, the others hear 412
 * (or 409, or 404 where what they named is gone), and what is there is the winner's.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { startCluster } from './harness.ts'
import { atEnd } from './lifetime.ts'

const WRITERS = 1000
const ROUNDS = 3
const GATEWAYS = 3
/** A completion needs an upload of its own with a part in it, which takes longer to make than to race for. */
const UPLOADS = 100

const Bucket = 'race'

test('writers under one condition', { timeout: 300_000 }, async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: GATEWAYS })
  const clients = cluster.endpoints.map(
    (endpoint) =>
      new S3Client({
        endpoint,
        region: 'us-east-1',
        credentials: cluster.credentials,
        forcePathStyle: true,
        maxAttempts: 1,
        // All of them at once, and not one after the other over a few connections.
        requestHandler: { httpAgent: { maxSockets: WRITERS } },
      }),
  )
  atEnd(t, () => {
    for (const one of clients) one.destroy()
  })
  const client = (writer: number): S3Client => {
    const chosen = clients[writer % clients.length]
    assert.ok(chosen)
    return chosen
  }
  await client(0).send(new CreateBucketCommand({ Bucket }))

  /** The one that won; every other must have been refused with one of these statuses. */
  async function race(
    writers: number,
    refusals: readonly number[],
    write: (writer: number) => Promise<unknown>,
  ): Promise<number> {
    const outcomes = await Promise.allSettled(Array.from({ length: writers }, (_, writer) => write(writer)))
    const winners: number[] = []
    for (const [writer, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') winners.push(writer)
      else {
        const error: unknown = outcome.reason
        assert.ok(error instanceof S3ServiceException, String(error))
        assert.ok(refusals.includes(error.$metadata.httpStatusCode ?? 0), `${error.name}: ${error.message}`)
      }
    }
    assert.equal(winners.length, 1, `${winners.length} won`)
    return winners[0] ?? -1
  }

  async function content(Key: string): Promise<string> {
    const { Body } = await client(0).send(new GetObjectCommand({ Bucket, Key }))
    return (await Body?.transformToString()) ?? ''
  }

  async function etag(Key: string): Promise<string> {
    const { ETag } = await client(1).send(new HeadObjectCommand({ Bucket, Key }))
    return ETag ?? ''
  }

  await t.test('If-None-Match: *, then If-Match on what is there', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const Key = `put-${round}`
      const created = await race(WRITERS, [412], (writer) =>
        client(writer).send(
          new PutObjectCommand({ Bucket, Key, Body: `created by ${writer}`, IfNoneMatch: '*' }),
        ),
      )
      assert.equal(await content(Key), `created by ${created}`)
      const IfMatch = await etag(Key)
      const replaced = await race(WRITERS, [412], (writer) =>
        client(writer).send(new PutObjectCommand({ Bucket, Key, Body: `replaced by ${writer}`, IfMatch })),
      )
      assert.equal(await content(Key), `replaced by ${replaced}`)
    }
  })

  await t.test('If-Match on a delete', async () => {
    const Key = 'delete'
    await client(0).send(new PutObjectCommand({ Bucket, Key, Body: 'content' }))
    const IfMatch = await etag(Key)
    await race(WRITERS, [404, 412], (writer) =>
      client(writer).send(new DeleteObjectCommand({ Bucket, Key, IfMatch })),
    )
    await assert.rejects(content(Key), { name: 'NoSuchKey' })
  })

  await t.test('If-None-Match: * on a copy', async () => {
    const sources = Array.from({ length: 10 }, (_, number) => `source-${number}`)
    for (const Key of sources) {
      await client(0).send(new PutObjectCommand({ Bucket, Key, Body: `content of ${Key}` }))
    }
    const sourceOf = (writer: number): string => sources[writer % sources.length] ?? ''
    const winner = await race(WRITERS, [412], (writer) =>
      client(writer).send(
        new CopyObjectCommand({
          Bucket,
          Key: 'copy',
          CopySource: `${Bucket}/${sourceOf(writer)}`,
          IfNoneMatch: '*',
        }),
      ),
    )
    assert.equal(await content('copy'), `content of ${sourceOf(winner)}`)
  })

  await t.test('If-None-Match: * on the completion of an upload', async () => {
    const Key = 'upload'
    const uploads = await Promise.all(
      Array.from({ length: UPLOADS }, async (_, writer) => {
        const { UploadId } = await client(writer).send(new CreateMultipartUploadCommand({ Bucket, Key }))
        const Body = `uploaded by ${writer}`
        const part = { Bucket, Key, UploadId, PartNumber: 1, Body }
        const { ETag } = await client(writer).send(new UploadPartCommand(part))
        return { UploadId, Parts: [{ PartNumber: 1, ETag }] }
      }),
    )
    const winner = await race(UPLOADS, [409, 412], (writer) => {
      const { UploadId, Parts } = uploads[writer] ?? {}
      return client(writer).send(
        new CompleteMultipartUploadCommand({
          Bucket,
          Key,
          UploadId,
          MultipartUpload: { Parts },
          IfNoneMatch: '*',
        }),
      )
    })
    assert.equal(await content(Key), `uploaded by ${winner}`)
  })
})
