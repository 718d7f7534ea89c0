/** The AWS SDK's own signer and its checksums as the oracle, over a real connection. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import fc from 'fast-check'
import type { SignableRequest } from '../../core/signing/request.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { openBody, type BodyResult } from '../body/verified-body.ts'
import { S3Error } from '../errors/s3-error.ts'
import { createAuthenticator, type Authentication } from './authenticate.ts'

const credentials = { accessKeyId: 'AKIDTEST', secretAccessKey: 'secret/with+signs=' }
const authenticate = createAuthenticator({
  credentials: {
    find: (key) =>
      Promise.resolve(
        key === credentials.accessKeyId
          ? { secret: credentials.secretAccessKey, principal: 'root' }
          : undefined,
      ),
  },
  endpoint: { region: 'us-east-1', services: ['s3'] },
  digests: nodeDigests,
  nowMs: () => Date.now(),
})

interface Seen {
  readonly request: SignableRequest
  readonly sender: Authentication<string>
  readonly data: Buffer
  readonly result: BodyResult
}

/** What the server made of the last request: what it saw, or what it refused it with. */
let last: Seen | S3Error | undefined

const server = createServer((message, response) => {
  void receive(message).then((outcome) => {
    last = outcome
    response.statusCode = outcome instanceof S3Error ? outcome.status : 200
    const ok = message.method === 'GET' ? '<ListBucketResult/>' : ''
    response.end(outcome instanceof S3Error ? `<Error><Code>${outcome.code}</Code></Error>` : ok)
  })
})

async function receive(message: IncomingMessage): Promise<Seen | S3Error> {
  try {
    const [rawPath = '', ...query] = (message.url ?? '').split('?')
    const headers = message.headersDistinct
    const request = { method: message.method ?? '', rawPath, rawQuery: query.join('?'), headers }
    const sender = await authenticate(request)
    const chunkSigning = sender.kind === 'signed' ? sender.chunkSigning : undefined
    const body = openBody(message, {
      headers: message.method === 'GET' ? { 'content-length': ['0'] } : headers,
      payload: sender.payload,
      ...(chunkSigning === undefined ? {} : { chunkSigning }),
      digests: nodeDigests,
      maxBytes: 10_000_000,
    })
    const views: Uint8Array[] = []
    for await (const view of body) views.push(view)
    return { request, sender, data: Buffer.concat(views), result: body.result() }
  } catch (error) {
    if (error instanceof S3Error) return error
    throw error
  }
}

let endpoint = ''
let client: S3Client
before(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  client = newClient({})
})
after(() => {
  client.destroy()
  server.closeAllConnections()
  server.close()
})

function newClient(options: { region?: string; secretAccessKey?: string }): S3Client {
  return new S3Client({
    endpoint,
    region: options.region ?? 'us-east-1',
    credentials: {
      ...credentials,
      ...(options.secretAccessKey ? { secretAccessKey: options.secretAccessKey } : {}),
    },
    forcePathStyle: true,
    maxAttempts: 1,
  })
}

function seen(): Seen {
  if (last instanceof S3Error) throw last
  assert.ok(last !== undefined)
  return last
}

const keys = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.constantFrom('+', '%', '//', ' ', '*', '~', "'", '?', '#'),
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((parts) => `k${parts.join('')}`)
  .filter((key) => key.isWellFormed())

test('requests signed in the header are genuine, whatever the key and metadata', async () => {
  const value = fc.string({
    unit: fc.constantFrom('a', ' ', 'Z', '=', ';', '/', '"', ',', '\t'),
    maxLength: 10,
  })
  await fc.assert(
    fc.asyncProperty(keys, value, fc.uint8Array({ maxLength: 300 }), async (Key, meta, body) => {
      await client.send(
        new PutObjectCommand({ Bucket: 'bucket', Key, Body: body, Metadata: { m: `v${meta}` } }),
      )
      const { sender, data, result } = seen()
      assert.equal(sender.kind === 'signed' && sender.principal, 'root')
      assert.deepEqual(data, Buffer.from(body))
      assert.equal(result.checksumAlgorithm, 'CRC32')
    }),
    { numRuns: 60 },
  )
})

test('queries are canonical as the SDK has them', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((t) => t.isWellFormed())
  await fc.assert(
    fc.asyncProperty(text, text, async (Prefix, Delimiter) => {
      await client.send(new ListObjectsV2Command({ Bucket: 'bucket', Prefix, Delimiter, MaxKeys: 2 }))
      assert.equal(seen().sender.kind, 'signed')
    }),
    { numRuns: 60 },
  )
})

test('a stream is sent aws-chunked with a trailing checksum, and is verified', async () => {
  const data = Buffer.from(Array.from({ length: 200_001 }, (_, i) => i * 13))
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    const Body = Readable.from([data.subarray(0, 65_536), data.subarray(65_536)])
    const input = { Bucket: 'bucket', Key: 'k', Body, ContentLength: data.length, ChecksumAlgorithm }
    await client.send(new PutObjectCommand(input))
    const outcome = seen()
    assert.equal(outcome.sender.payload.kind, 'unsigned-chunks')
    assert.equal(outcome.result.checksumAlgorithm, ChecksumAlgorithm)
    assert.ok(outcome.data.equals(data))
  }
})

test('presigned URLs', async () => {
  await fc.assert(
    fc.asyncProperty(keys, async (Key) => {
      const url = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'bucket', Key }), {
        expiresIn: 60,
      })
      assert.equal((await fetch(url)).status, 200)
      const { sender } = seen()
      assert.equal(sender.kind === 'signed' && sender.presigned, true)
    }),
    { numRuns: 40 },
  )
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket: 'bucket', Key: 'k' }), {
    expiresIn: 60,
  })
  assert.equal((await fetch(put, { method: 'PUT', body: 'hello' })).status, 200)
  assert.equal(seen().data.toString(), 'hello')
})

test('a wrong secret and a wrong region get their own refusals', async () => {
  for (const [options, code] of [
    [{ secretAccessKey: 'wrong' }, 'SignatureDoesNotMatch'],
    [{ region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
  ] as const) {
    const other = newClient(options)
    await assert.rejects(other.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: 'x' })))
    assert.equal(last instanceof S3Error && last.code, code)
    other.destroy()
  }
})

test('any change of a signed request is refused', async () => {
  await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'key', Body: 'x', Metadata: { a: 'b' } }))
  const { request } = seen()
  const names = Object.keys(request.headers).filter((name) =>
    /^(host|x-amz-.*|content-(type|length))$/.test(name),
  )
  assert.ok(names.length >= 5)
  const changes: SignableRequest[] = [
    { ...request, method: 'POST' },
    { ...request, rawPath: `${request.rawPath}/` },
    { ...request, rawPath: request.rawPath.toUpperCase() },
    { ...request, rawQuery: `${request.rawQuery}&a` },
    ...names.map((name) => ({ ...request, headers: { ...request.headers, [name]: ['other'] } })),
    ...names.map((name) => ({ ...request, headers: { ...request.headers, [name]: undefined } })),
    { ...request, headers: { ...request.headers, 'x-amz-acl': ['public-read'] } },
  ]
  await authenticate(request)
  for (const change of changes) await assert.rejects(authenticate(change), S3Error)
  const [authorization = ''] = request.headers['authorization'] ?? []
  for (let at = 0; at < authorization.length; at++) {
    const flipped =
      authorization.slice(0, at) + (authorization[at] === 'q' ? 'r' : 'q') + authorization.slice(at + 1)
    await assert.rejects(
      authenticate({ ...request, headers: { ...request.headers, authorization: [flipped] } }),
      S3Error,
    )
  }
})
