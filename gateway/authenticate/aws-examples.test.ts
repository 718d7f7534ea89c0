/**
 * The worked examples of the S3 documentation, signatures as printed there. Sources: S3 API Reference, "Signature
 * Calculations for the Authorization Header" (single chunk, multiple chunks, trailing headers) and "Authenticating
 * Requests: Using Query Parameters".
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeaderFields, SignableRequest } from '../../core/signing/request.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { openBody } from '../body/verified-body.ts'
import { S3Error } from '../errors/s3-error.ts'
import { createAuthenticator } from './authenticate.ts'

const accessKey = 'AKIAIOSFODNN7EXAMPLE'
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const authenticate = createAuthenticator({
  credentials: {
    find: (key) => Promise.resolve(key === accessKey ? { secret, principal: 'root' } : undefined),
  },
  endpoint: { region: 'us-east-1', services: ['s3'] },
  digests: nodeDigests,
  nowMs: () => Date.UTC(2013, 4, 24),
})

function request(
  method: string,
  target: string,
  signedHeaders: string,
  signature: string,
  headers: Record<string, string> = {},
): SignableRequest {
  const [rawPath = '', rawQuery = ''] = target.split('?')
  const credential = `${accessKey}/20130524/us-east-1/s3/aws4_request`
  const all: Record<string, string> = {
    host: 'examplebucket.s3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-content-sha256': emptyHash,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signedHeaders},Signature=${signature}`,
    ...headers,
  }
  return { method, rawPath, rawQuery, headers: fields(all) }
}

function fields(headers: Record<string, string>): HeaderFields {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
}

const plain = 'host;x-amz-content-sha256;x-amz-date'
const examples: Record<string, SignableRequest> = {
  'GET object with Range': request(
    'GET',
    '/test.txt',
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    { range: 'bytes=0-9' },
  ),
  'PUT object': request(
    'PUT',
    '/test%24file.text',
    'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
  ),
  'GET bucket lifecycle': request(
    'GET',
    '/?lifecycle',
    plain,
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ),
  'GET bucket (list objects)': request(
    'GET',
    '/?max-keys=2&prefix=J',
    plain,
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ),
  'presigned GET object': {
    method: 'GET',
    rawPath: '/test.txt',
    rawQuery: `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=${accessKey}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`,
    headers: fields({ host: 'examplebucket.s3.amazonaws.com' }),
  },
}

for (const [name, example] of Object.entries(examples)) {
  test(name, async () => {
    const sender = await authenticate(example)
    assert.equal(sender.kind === 'signed' && sender.principal, 'root')
    await assert.rejects(
      authenticate({ ...example, rawPath: `${example.rawPath}x` }),
      (error) => error instanceof S3Error && error.code === 'SignatureDoesNotMatch',
    )
  })
}

const chunkedHeaders = {
  host: 's3.amazonaws.com',
  'x-amz-storage-class': 'REDUCED_REDUNDANCY',
  'content-encoding': 'aws-chunked',
  'x-amz-decoded-content-length': '66560',
}

const bodies = {
  'PUT object in chunks': {
    request: request(
      'PUT',
      '/examplebucket/chunkObject.txt',
      'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
      '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      {
        ...chunkedHeaders,
        'content-length': '66824',
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      },
    ),
    chunks: [
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ],
    trailer: '',
  },
  'PUT object in chunks with a trailing checksum': {
    request: request(
      'PUT',
      '/examplebucket/chunkObject.txt',
      'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
      '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
      {
        ...chunkedHeaders,
        'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
        'x-amz-trailer': 'x-amz-checksum-crc32c',
      },
    ),
    chunks: [
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ],
    trailer:
      'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n',
  },
}

for (const [name, { request: head, chunks, trailer }] of Object.entries(bodies)) {
  test(name, async () => {
    const sender = await authenticate(head)
    assert.ok(sender.kind === 'signed' && sender.chunkSigning !== undefined)
    const [first = '', second = '', last = ''] = chunks.map(
      (signature) => `;chunk-signature=${signature}\r\n`,
    )
    const wire = Buffer.from(
      `10000${first}${'a'.repeat(65536)}\r\n400${second}${'a'.repeat(1024)}\r\n0${last}${trailer}\r\n`,
    )
    const read = async (bytes: Buffer): Promise<string> => {
      const body = openBody(pieces(bytes, 1000), {
        headers: head.headers,
        payload: sender.payload,
        ...(sender.chunkSigning === undefined ? {} : { chunkSigning: sender.chunkSigning }),
        digests: nodeDigests,
        maxBytes: 100_000,
      })
      const views: Uint8Array[] = []
      for await (const view of body) views.push(view)
      return Buffer.concat(views).toString()
    }
    assert.equal(await read(wire), 'a'.repeat(66560))

    const flipped = Buffer.from(wire)
    flipped[1000] = 0x62
    await assert.rejects(
      read(flipped),
      (error) => error instanceof S3Error && error.code === 'SignatureDoesNotMatch',
    )
  })
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size))
}
