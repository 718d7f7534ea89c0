import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { HeadObjectCommand, PutObjectCommand, type HeadObjectCommandInput } from '@aws-sdk/client-s3'
import { s3Error, startConformance, statusOf, type Conformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'
import { uploadParts } from './uploads.ts'

const { client, newBucket, raw, faults, nodes, heal } = await startConformance()

let Bucket = ''
let ETag = ''

before(async () => {
  Bucket = await newBucket()
  const put = await client.send(
    new PutObjectCommand({ Bucket, Key: 'key', Body: '0123456789', ContentType: 'text/plain' }),
  )
  ETag = put.ETag ?? ''
})

const head = (
  headers: Readonly<Record<string, string>> = {},
  key = 'key',
  query = '',
): ReturnType<Conformance['raw']> => raw({ method: 'HEAD', target: `/${Bucket}/${key}${query}`, headers })

test('what GetObject says, without the bytes', async () => {
  const input = { Bucket, Key: 'key', ChecksumMode: 'ENABLED' } as const
  const answer = await client.send(new HeadObjectCommand(input))
  assert.deepEqual(
    [answer.ContentLength, answer.ContentType, answer.ETag, answer.AcceptRanges, answer.ChecksumType],
    [10, 'text/plain', ETag, 'bytes', 'FULL_OBJECT'],
  )
  const get = await raw({ target: `/${Bucket}/key` })
  const same = await head()
  assert.deepEqual([same.status, same.body], [200, ''])
  const volatile = ['date', 'x-amz-request-id', 'connection', 'keep-alive']
  for (const [name, value] of Object.entries(get.headers)) {
    if (!volatile.includes(name)) assert.equal(same.headers[name], value, name)
  }
})

test('reads no byte: an object whose nodes are all lost still has its head', async () => {
  for (const node of nodes) faults.unreachable.add(node)
  assert.equal((await head()).status, 200)
  heal()
})

test('an empty object has a length', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: new Uint8Array() }))
  assert.equal((await head({}, 'empty')).headers['content-length'], '0')
})

describe('ranges and parts', () => {
  test('a range is 206 with its length', async () => {
    const { status, headers } = await head({ range: 'bytes=2-4' })
    assert.deepEqual(
      [status, headers['content-length'], headers['content-range']],
      [206, '3', 'bytes 2-4/10'],
    )
  })

  test('past the end is 416', async () => {
    assert.deepEqual([(await head({ range: 'bytes=10-' })).status], [416])
  })

  test('a part of a multipart object', async () => {
    const { bytes } = await uploadParts(client, Bucket, 'parts', { ChecksumAlgorithm: 'CRC32' })
    const part = { Bucket, Key: 'parts', PartNumber: 2 }
    const answer = await client.send(new HeadObjectCommand(part))
    assert.deepEqual(
      [answer.$metadata.httpStatusCode, answer.PartsCount, answer.ContentLength],
      [206, 2, 100_000],
    )
    const whole = await client.send(new HeadObjectCommand({ Bucket, Key: 'parts' }))
    assert.deepEqual([whole.PartsCount, whole.ContentLength], [undefined, bytes.length])
    assert.equal((await head({}, 'parts', '?partNumber=3')).status, 416)
  })
})

describe('conditions', () => {
  const inputs: readonly (readonly [Omit<HeadObjectCommandInput, 'Bucket' | 'Key'>, number])[] = [
    [{ IfMatch: '"another"' }, 412],
    [{ IfNoneMatch: '*' }, 304],
    [{ IfUnmodifiedSince: new Date(0) }, 412],
    [{ IfModifiedSince: new Date(0) }, 200],
    [{ IfModifiedSince: new Date(Date.now() + 86_400_000) }, 200],
  ]
  for (const [input, status] of inputs) {
    test(`${Object.keys(input).join()} → ${status}`, async () => {
      const sent = client.send(new HeadObjectCommand({ Bucket, Key: 'key', ...input }))
      if (status === 200) await sent
      else assert.equal(statusOf(await sent.catch((thrown: unknown) => thrown)), status)
    })
  }
})

test('errors have no body', async () => {
  await assert.rejects(
    client.send(new HeadObjectCommand({ Bucket, Key: 'absent' })),
    s3Error('NotFound', 404),
  )
  for (const [answer, status] of [
    [await head({}, 'absent'), 404],
    [await raw({ method: 'HEAD', target: '/not-there/key' }), 404],
    [await head({}, 'key', '?versionId=abc'), 400],
    [await head({}, 'key', `?versionId=${ABSENT_VERSION}`), 404],
    [await head({}, 'key', '?partNumber=0'), 400],
    [await head({ 'x-amz-expected-bucket-owner': '111122223333' }), 403],
  ] as const) {
    assert.deepEqual([answer.status, answer.body], [status, ''])
  }
})

test('response-* as with GetObject', async () => {
  const { headers } = await head({}, 'key', '?response-content-type=text%2Fhtml')
  assert.equal(headers['content-type'], 'text/html')
})

test('versions and delete markers, as with GetObject', async () => {
  const versioned = await newBucket()
  await setVersioning(client, versioned, 'Enabled')
  const one = await putVersion(client, versioned, 'k', '1')
  const two = await putVersion(client, versioned, 'k', 'two')
  const ask = async (VersionId?: string) => {
    const named = VersionId === undefined ? {} : { VersionId }
    const answer = await client.send(new HeadObjectCommand({ Bucket: versioned, Key: 'k', ...named }))
    return [answer.VersionId, answer.ContentLength]
  }
  assert.deepEqual(await ask(), [two, 3])
  assert.deepEqual(await ask(one), [one, 1])
  const marker = await putDeleteMarker(client, versioned, 'k')
  const current = await raw({ method: 'HEAD', target: `/${versioned}/k` })
  assert.deepEqual([current.status, current.headers['x-amz-delete-marker']], [404, 'true'])
  assert.equal(current.headers['x-amz-version-id'], marker)
  const named = await raw({ method: 'HEAD', target: `/${versioned}/k?versionId=${marker}` })
  assert.deepEqual([named.status, named.headers['allow'], named.body], [405, 'DELETE', ''])
  assert.deepEqual(await ask(one), [one, 1])
})
