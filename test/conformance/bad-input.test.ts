/**
 * Bad input of all sorts: each gets S3's own error and harms nothing. After every one the object that was there is there
 * unchanged, the listings are what they were, nothing was committed, the storage nodes hold no shard more, and the gateway
 * serves.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { md5Hex, patternOf, readBody } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { answerOf, openRequest } from './raw-socket.ts'
import { begin, upload } from './uploads.ts'

const { client, raw, newBucket, address, region, credentials, shardCount, faults } = await startConformance()
const signer = { address, region, credentials }
const Bucket = await newBucket()
const precious = patternOf(200_000)
await client.send(new PutObjectCommand({ Bucket, Key: 'precious', Body: precious }))
const place = await begin(client, Bucket, 'in-progress')
await upload(client, place, 1, 'part')

/** One body in whole copies, taken and checked before a node hears of it, and one that is on the nodes by then. */
const bodies = { small: patternOf(1000, 1), large: patternOf(9_000_000, 2) }
const targets = {
  'an object': `/${Bucket}/precious`,
  'a part': `/${Bucket}/in-progress?partNumber=1&uploadId=${place.UploadId}`,
}

const listings = async (): Promise<unknown> => {
  const objects = await client.send(new ListObjectsV2Command({ Bucket }))
  const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  const parts = await client.send(new ListPartsCommand(place))
  return [objects.Contents, uploads.Uploads, parts.Parts]
}
const before = { listings: await listings(), shards: await shardCount() }

const commits: string[] = []
faults.metadata = (operation) => {
  if (operation.startsWith('commit') || operation === 'completeUpload') commits.push(operation)
  return undefined
}

afterEach(async () => {
  assert.deepEqual(commits, [])
  assert.deepEqual(await listings(), before.listings)
  assert.ok((await readBody(client, Bucket, 'precious')).equals(precious))
  // What a refused write had sent is removed after its answer.
  await until((shards) => shards === before.shards)
})

async function until(holds: (shards: number) => boolean): Promise<void> {
  while (!holds(await shardCount())) await systemClock.sleep(5)
}

const sha256 = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex')
const clientOf = (accessKeyId: string, secretAccessKey: string): S3Client =>
  new S3Client({
    region,
    endpoint: `http://${address}`,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
  })
const put = (Body: Uint8Array) => new PutObjectCommand({ Bucket, Key: 'precious', Body })

describe('a stranger', { timeout: 60_000 }, () => {
  test('with a wrong secret', async () => {
    const stranger = clientOf(credentials.accessKeyId, 'another-secret')
    await assert.rejects(stranger.send(put(bodies.large)), s3Error('SignatureDoesNotMatch', 403))
    stranger.destroy()
  })

  test('with an unknown access key', async () => {
    const stranger = clientOf('AKIDUNKNOWN', credentials.secretAccessKey)
    await assert.rejects(stranger.send(put(bodies.large)), s3Error('InvalidAccessKeyId', 403))
    stranger.destroy()
  })

  test('with a signature for another key', async () => {
    const url = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: 'allowed' }), {
      expiresIn: 60,
    })
    const answer = await fetch(url.replace('/allowed?', '/precious?'), { method: 'PUT', body: 'x' })
    assert.equal(answer.status, 403)
    assert.match(await answer.text(), /<Code>SignatureDoesNotMatch</)
  })

  test('with no signature', async () => {
    const answer = await raw({
      method: 'PUT',
      target: targets['an object'],
      body: bodies.small,
      signed: false,
    })
    assert.deepEqual([answer.status, answer.code], [403, 'AccessDenied'])
  })

  for (const [method, command] of [
    ['PUT', new PutObjectCommand({ Bucket, Key: 'precious' })],
    ['GET', new GetObjectCommand({ Bucket, Key: 'precious' })],
  ] as const) {
    test(`with an expired URL to ${method}`, async () => {
      const signingDate = new Date(Date.now() - 3_600_000)
      const url = await getSignedUrl(client, command, { expiresIn: 60, signingDate })
      const answer = await fetch(url, { method, ...(method === 'PUT' ? { body: 'x' } : {}) })
      assert.equal(answer.status, 403)
      const text = await answer.text()
      assert.match(text, /<Code>AccessDenied<\/Code><Message>Request has expired</)
    })
  }
})

for (const [size, body] of Object.entries(bodies)) {
  for (const [what, target] of Object.entries(targets)) {
    describe(`a ${size} body of ${what}`, { timeout: 60_000 }, () => {
      const send = (headers: Record<string, string>, sent: Uint8Array = body) =>
        raw({ method: 'PUT', target, headers, body: sent })

      test('with a wrong Content-MD5', async () => {
        const wrong = createHash('md5').update('other').digest('base64')
        const answer = await send({ 'content-md5': wrong })
        assert.deepEqual([answer.status, answer.code], [400, 'BadDigest'])
      })

      test('with a Content-MD5 that is none', async () => {
        const answer = await send({ 'content-md5': 'rubbish' })
        assert.deepEqual([answer.status, answer.code], [400, 'InvalidDigest'])
      })

      test('with a wrong checksum in a header', async () => {
        const wrong = toBase64(checksumOf('SHA256', body.subarray(1)))
        const answer = await send({ 'x-amz-checksum-sha256': wrong })
        assert.deepEqual([answer.status, answer.code], [400, 'BadDigest'])
      })

      test('with a checksum that is none', async () => {
        const answer = await send({ 'x-amz-checksum-crc32': 'AAAA' })
        assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
      })

      test('other than the one that was signed', async () => {
        const answer = await send({ 'x-amz-content-sha256': sha256(Buffer.from('other')) })
        assert.deepEqual([answer.status, answer.code], [400, 'XAmzContentSHA256Mismatch'])
      })

      const chunked = (trailer: string, data: Uint8Array = body, declared = body.length) =>
        send(
          {
            'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
            'content-encoding': 'aws-chunked',
            'x-amz-decoded-content-length': String(declared),
            'x-amz-trailer': 'x-amz-checksum-crc32',
          },
          Buffer.concat([
            Buffer.from(`${data.length.toString(16)}\r\n`),
            data,
            Buffer.from(`\r\n0\r\n${trailer}\r\n\r\n`),
          ]),
        )
      const right = `x-amz-checksum-crc32:${toBase64(checksumOf('CRC32', body))}`

      test('with a wrong checksum in the trailer', async () => {
        const answer = await chunked('x-amz-checksum-crc32:AAAAAA==')
        assert.deepEqual([answer.status, answer.code], [400, 'BadDigest'])
      })

      test('without the trailer it announced', async () => {
        const answer = await chunked('')
        assert.equal(answer.status, 400)
        assert.ok(['MalformedTrailerError', 'InvalidRequest'].includes(answer.code ?? ''), answer.code)
      })

      test('whose chunks hold more, or less, than it declared', async () => {
        for (const declared of [body.length - 1, body.length + 1]) {
          const answer = await chunked(right, body, declared)
          assert.deepEqual([answer.status, answer.code], [400, 'IncompleteBody'])
        }
      })

      const open = (length: number, hash: string) =>
        openRequest(signer, {
          method: 'PUT',
          target,
          headers: { 'x-amz-content-sha256': hash, 'content-length': String(length) },
        })

      test('shorter than its length', async () => {
        const socket = await open(body.length + 1, 'UNSIGNED-PAYLOAD')
        socket.end(body)
        assert.deepEqual(await answerOf(socket), { status: 400, code: 'IncompleteBody' })
      })

      test('longer than its length: what was signed is not what was sent', async () => {
        const socket = await open(body.length - 1, sha256(body))
        socket.end(body)
        const { status, code } = await answerOf(socket)
        assert.equal(status, 400)
        // The latter when what follows the body is seen, and is no HTTP, before the body was all taken.
        assert.ok(['XAmzContentSHA256Mismatch', 'IncompleteBody'].includes(code ?? ''), code)
      })

      test('whose sender hangs up in the middle', async () => {
        for (const share of [0, 0.5, 0.99]) {
          const socket = await open(body.length, 'UNSIGNED-PAYLOAD')
          const sent = body.subarray(0, Math.floor(body.length * share))
          await new Promise((resolve) => {
            socket.write(sent, resolve)
          })
          // So late that there are shards to be removed again.
          if (body === bodies.large && share === 0.99) await until((shards) => shards > before.shards)
          socket.resetAndDestroy()
        }
      })
    })
  }
}

describe('names', () => {
  test('a key of 1,025 bytes', async () => {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const answer = await raw({ method, target: `/${Bucket}/${'k'.repeat(1025)}`, body: '' })
      assert.deepEqual([answer.status, answer.code], [400, 'KeyTooLongError'])
    }
    const answer = await raw({ method: 'POST', target: `/${Bucket}/${'%C3%BC'.repeat(513)}?uploads` })
    assert.deepEqual([answer.status, answer.code], [400, 'KeyTooLongError'])
  })

  test('illegal bucket names', async () => {
    for (const name of ['a', 'Not_A_Bucket', 'a..b', '10.0.0.1', 'x'.repeat(64)]) {
      const answer = await raw({ method: 'PUT', target: `/${name}` })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidBucketName'], name)
    }
    for (const name of ['a', 'a%20b', '%2e%2e', 'semi;colon']) {
      const answer = await raw({ method: 'PUT', target: `/${name}/key`, body: 'x' })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidBucketName'], name)
    }
  })
})

describe('documents', () => {
  const targetsOfDocuments = {
    CompleteMultipartUpload: `/${Bucket}/in-progress?uploadId=${place.UploadId}`,
    Delete: `/${Bucket}?delete`,
  }
  for (const [name, target] of Object.entries(targetsOfDocuments)) {
    for (const [what, document] of [
      ['not closed', `<${name}>`],
      ['of another kind', '<Other/>'],
      ['with an entity', `<!DOCTYPE x [<!ENTITY a "b">]><${name}>&a;</${name}>`],
      ['too deep', '<a>'.repeat(1000)],
      ['not UTF-8', Buffer.from([0x3c, 0xff, 0xfe, 0x3e])],
    ] as const) {
      test(`${name} ${what}`, async () => {
        const md5 = createHash('md5').update(document).digest('base64')
        const answer = await raw({ method: 'POST', target, headers: { 'content-md5': md5 }, body: document })
        assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML'])
      })
    }
  }

  test('parts out of order', async () => {
    const parts = [2, 1].map(
      (number) => `<Part><PartNumber>${number}</PartNumber><ETag>${md5Hex('part')}</ETag></Part>`,
    )
    const answer = await raw({
      method: 'POST',
      target: targetsOfDocuments.CompleteMultipartUpload,
      body: `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`,
    })
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidPartOrder'])
  })
})
