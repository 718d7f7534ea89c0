/**
 * A page of another origin, as the Fetch Standard has a browser behave: a preflight where the request is not a simple
 * one, and an answer that the page may read only if its headers say so (https://fetch.spec.whatwg.org/#http-cors-protocol).
 */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { GetObjectCommand, PutBucketCorsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { startConformance } from './harness.ts'

const { client, newBucket, region, credentials, address } = await startConformance()

interface PageRequest {
  readonly method: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly withCredentials?: boolean
}

/** What a page's `fetch` would give it: an answer with the headers it may see, or the network error of a CORS failure. */
async function fetchFrom(
  origin: string,
  url: string,
  request: PageRequest,
): Promise<Response | 'CORS error'> {
  const { method, headers = {}, withCredentials = false } = request
  const unsafe = Object.keys(headers).map((name) => name.toLowerCase())
  if (!['GET', 'HEAD', 'POST'].includes(method) || unsafe.length > 0) {
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': method,
        ...(unsafe.length > 0 && { 'access-control-request-headers': unsafe.toSorted().join(',') }),
      },
    })
    const listed = (name: string) => (preflight.headers.get(name) ?? '').split(',').map((part) => part.trim())
    if (!preflight.ok || !isShared(preflight, origin, withCredentials)) return 'CORS error'
    if (!listed('access-control-allow-methods').includes(method)) return 'CORS error'
    const allowed = listed('access-control-allow-headers').map((name) => name.toLowerCase())
    if (!unsafe.every((name) => allowed.includes(name))) return 'CORS error'
  }
  const answer = await fetch(url, {
    method,
    headers: { ...headers, origin },
    ...(request.body !== undefined && { body: request.body }),
  })
  if (!isShared(answer, origin, withCredentials)) return 'CORS error'
  const exposed = (answer.headers.get('access-control-expose-headers') ?? '').toLowerCase().split(/\s*,\s*/)
  const safe = [
    'cache-control',
    'content-language',
    'content-length',
    'content-type',
    'expires',
    'last-modified',
  ]
  const visible = [...answer.headers].filter(([name]) => safe.includes(name) || exposed.includes(name))
  return new Response(await answer.arrayBuffer(), { status: answer.status, headers: visible })
}

/** The CORS check of the standard. */
function isShared({ headers }: Response, origin: string, withCredentials: boolean): boolean {
  const allowed = headers.get('access-control-allow-origin')
  if (!withCredentials && allowed === '*') return true
  return (
    allowed === origin && (!withCredentials || headers.get('access-control-allow-credentials') === 'true')
  )
}

const page = 'https://app.example'

/** Signs URLs for bodies that it does not know yet. */
const signer = new S3Client({
  region,
  credentials,
  endpoint: `http://${address}`,
  forcePathStyle: true,
  requestChecksumCalculation: 'WHEN_REQUIRED',
})

describe('a page that reads and writes by presigned URLs', () => {
  let getUrl = ''
  let putUrl = ''
  let missingUrl = ''

  before(async () => {
    const Bucket = await newBucket()
    const CORSConfiguration = {
      CORSRules: [
        {
          AllowedOrigins: ['https://*.example'],
          AllowedMethods: ['GET', 'PUT'],
          AllowedHeaders: ['content-type', 'x-amz-meta-*'],
          ExposeHeaders: ['ETag', 'x-amz-meta-note'],
        },
      ],
    }
    await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }))
    getUrl = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'key' }))
    const command = new PutObjectCommand({ Bucket, Key: 'key', Metadata: { note: 'from a page' } })
    // As signed headers, which the page must send, and not in the query.
    putUrl = await getSignedUrl(signer, command, { unhoistableHeaders: new Set(['x-amz-meta-note']) })
    missingUrl = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'not-there' }))
  })

  test('writes with headers of its own, reads back, and sees what is exposed', async () => {
    const headers = { 'content-type': 'text/plain', 'x-amz-meta-note': 'from a page' }
    const written = await fetchFrom(page, putUrl, { method: 'PUT', headers, body: 'content' })
    assert.ok(written !== 'CORS error')
    assert.equal(written.status, 200)
    const read = await fetchFrom(page, getUrl, { method: 'GET', withCredentials: true })
    assert.ok(read !== 'CORS error')
    assert.equal(await read.text(), 'content')
    assert.equal(read.headers.get('etag'), written.headers.get('etag'))
    assert.deepEqual(
      ['x-amz-meta-note', 'content-type', 'x-amz-request-id'].map((name) => read.headers.get(name)),
      ['from a page', 'text/plain', null],
    )
  })

  test('may read why it was refused', async () => {
    const answer = await fetchFrom(page, missingUrl, { method: 'GET' })
    assert.ok(answer !== 'CORS error')
    assert.equal(answer.status, 404)
    assert.match(await answer.text(), /<Code>NoSuchKey<\/Code>/)
  })

  test('is stopped by its browser where no rule fits', async () => {
    const cases: readonly (readonly [origin: string, url: string, request: PageRequest])[] = [
      ['http://app.example', getUrl, { method: 'GET' }],
      ['https://app.other', getUrl, { method: 'GET' }],
      [page, putUrl, { method: 'DELETE' }],
      [page, putUrl, { method: 'PUT', headers: { 'x-other': '1' }, body: '' }],
    ]
    for (const [origin, url, request] of cases) {
      assert.equal(await fetchFrom(origin, url, request), 'CORS error', `${origin} ${request.method}`)
    }
  })
})

test('any origin may read without credentials, none with them', async () => {
  const Bucket = await newBucket()
  const CORSConfiguration = { CORSRules: [{ AllowedOrigins: ['*'], AllowedMethods: ['GET'] }] }
  await client.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration }))
  await client.send(new PutObjectCommand({ Bucket, Key: 'key', Body: 'content' }))
  const url = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: 'key' }))
  const read = await fetchFrom('https://anywhere.example', url, { method: 'GET' })
  assert.ok(read !== 'CORS error')
  assert.equal(await read.text(), 'content')
  const request = { method: 'GET', withCredentials: true }
  assert.equal(await fetchFrom('https://anywhere.example', url, request), 'CORS error')
})
