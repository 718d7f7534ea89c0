/** Presigned URLs that carry headers in their query, as the SDK signs them: see gateway/http/query-headers.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { accounts, alice } from './accounts.ts'
import { readBody } from './bodies.ts'
import { startConformance } from './harness.ts'

const { client, raw, newBucket } = await startConformance('us-east-1', { accounts })
const Bucket = await newBucket()

const put = (url: string, body = 'hello') => fetch(url, { method: 'PUT', body })
const head = (Key: string) => client.send(new s3.HeadObjectCommand({ Bucket, Key }))

async function codeOf(response: Response): Promise<readonly [number, string | undefined]> {
  return [response.status, /<Code>([^<]*)</.exec(await response.text())?.[1]]
}

test('metadata, storage class and redirect are kept; the checksum of nothing and tags are not taken from there', async () => {
  const input = {
    Bucket,
    Key: 'key',
    Metadata: { foo: 'bar', text: 'non-ascii-%E2%80%94_—_é_', word: '=?UTF-8?Q?ascii?=' },
    StorageClass: 'STANDARD_IA',
    WebsiteRedirectLocation: '/elsewhere',
    Tagging: 'a=b',
  } as const
  const url = await getSignedUrl(client, new s3.PutObjectCommand(input))
  for (const part of [
    'x-amz-meta-foo=bar',
    'x-amz-storage-class=',
    'x-amz-checksum-crc32=AAAAAA',
    'x-amz-tagging=',
  ]) {
    assert.ok(url.includes(part), part)
  }
  assert.equal((await put(url)).status, 200)
  const { Metadata, StorageClass, WebsiteRedirectLocation, TagCount } = await head('key')
  assert.deepEqual(
    { Metadata, StorageClass, WebsiteRedirectLocation, TagCount },
    {
      Metadata: {
        foo: 'bar',
        text: '=?UTF-8?Q?non-ascii-%E2%80%94=5F=E2=80=94=5F=C3=A9=5F?=',
        word: '=?UTF-8?Q?ascii?=',
      },
      StorageClass: 'STANDARD_IA',
      WebsiteRedirectLocation: '/elsewhere',
      TagCount: undefined,
    },
  )
})

test('conditions hold', async () => {
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'conditional', Body: 'first' }))
  // Other SDKs put these into the query, this one only when told.
  const presign = (name: string, value: string): Promise<string> => {
    const command = new s3.PutObjectCommand({ Bucket, Key: 'conditional' })
    command.middlewareStack.add(
      (next) => (args) => {
        const { request } = args
        assert.ok(typeof request === 'object' && request !== null && 'query' in request)
        Object.assign(request.query ?? {}, { [name]: value })
        return next(args)
      },
      { step: 'build' },
    )
    return getSignedUrl(client, command)
  }
  for (const url of [await presign('If-None-Match', '*'), await presign('if-match', '"0"')]) {
    assert.match(url, /[?&]if-(?:none-)?match=/i)
    assert.deepEqual(await codeOf(await put(url)), [412, 'PreconditionFailed'])
  }
  assert.equal((await readBody(client, Bucket, 'conditional')).toString(), 'first')
})

test('what the query asks for is what is done: a copy', async () => {
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'source', Body: 'source' }))
  const command = new s3.CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/source` })
  const url = await getSignedUrl(client, command)
  assert.match(url, /x-amz-copy-source=/)
  assert.equal((await fetch(url, { method: 'PUT' })).status, 200)
  assert.equal((await readBody(client, Bucket, 'copy')).toString(), 'source')
})

test('the expected owner is held against the owner', async () => {
  const command = new s3.GetObjectCommand({ Bucket, Key: 'source', ExpectedBucketOwner: alice.accountId })
  assert.deepEqual(await codeOf(await fetch(await getSignedUrl(client, command))), [403, 'AccessDenied'])
})

test('what is not built is refused, and nothing stored', async () => {
  const command = new s3.PutObjectCommand({ Bucket, Key: 'refused', ServerSideEncryption: 'AES256' })
  const hoistableHeaders = new Set(['x-amz-server-side-encryption'])
  const url = await getSignedUrl(client, command, { hoistableHeaders })
  assert.match(url, /x-amz-server-side-encryption=AES256/)
  assert.deepEqual(await codeOf(await put(url)), [501, 'NotImplemented'])
  await assert.rejects(head('refused'))
})

test('the query is signed', async () => {
  const command = new s3.PutObjectCommand({ Bucket, Key: 'forged', Metadata: { foo: 'bar' } })
  const url = await getSignedUrl(client, command)
  for (const forged of [url.replace('foo=bar', 'foo=baz'), `${url}&x-amz-meta-more=1`]) {
    assert.deepEqual(await codeOf(await put(forged)), [403, 'SignatureDoesNotMatch'])
  }
})

test('what no header can hold is refused', async () => {
  const input = { Bucket, Key: 'split', WebsiteRedirectLocation: '/\r\nset-cookie: a=b' }
  const url = await getSignedUrl(client, new s3.PutObjectCommand(input))
  assert.match(url, /%0D%0A/)
  assert.deepEqual(await codeOf(await put(url)), [400, 'InvalidArgument'])
})

test('the query of a request that is not presigned has no headers', async () => {
  const target = `/${Bucket}/plain?x-amz-meta-a=b&x-amz-storage-class=STANDARD_IA&if-none-match=*`
  for (let i = 0; i < 2; i++) assert.equal((await raw({ method: 'PUT', target, body: 'x' })).status, 200)
  const { Metadata, StorageClass } = await head('plain')
  assert.deepEqual([Metadata, StorageClass], [{}, undefined])
})
