import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumAlgorithms } from '../../core/checksum/algorithms.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { s3Error, startConformance } from './harness.ts'
import { md5Hex, patternOf, readBody } from './bodies.ts'
import { answerOf, openRequest } from './raw-socket.ts'
import { putDeleteMarker, setVersioning } from './versions.ts'

const { client, raw, newBucket, address, region, credentials, nodes, faults, heal } = await startConformance()
const Bucket = await newBucket()

/** A client that sends no checksum of its own accord. */
const plain = new S3Client({
  region,
  credentials,
  endpoint: `http://${address}`,
  forcePathStyle: true,
  maxAttempts: 1,
  requestChecksumCalculation: 'WHEN_REQUIRED',
})

const bodyOf = (Key: string): Promise<Buffer> => readBody(client, Bucket, Key)

const isThere = async (Key: string): Promise<boolean> =>
  (await raw({ method: 'HEAD', target: `/${Bucket}/${Key}` })).status === 200

test('bytes of every size come back, under the MD5 as ETag', async () => {
  for (const size of [0, 1, 4096, 32 * 1024, 32 * 1024 + 1, 64 * 1024 + 1, 5_000_003]) {
    const Body = patternOf(size)
    const Key = `size-${size}`
    const { ETag } = await client.send(new PutObjectCommand({ Bucket, Key, Body }))
    assert.equal(ETag, `"${md5Hex(Body)}"`)
    assert.ok((await bodyOf(Key)).equals(Body), Key)
  }
})

test('an object written again is the new one', async () => {
  for (const Body of ['first', 'second']) {
    await client.send(new PutObjectCommand({ Bucket, Key: 'again', Body }))
  }
  assert.equal((await bodyOf('again')).toString(), 'second')
})

test('headers and metadata are kept; aws-chunked is not', async () => {
  const set = {
    ContentType: 'text/x-test; charset=utf-8',
    ContentEncoding: 'gzip',
    ContentDisposition: 'attachment; filename="a b.txt"',
    ContentLanguage: 'de, en',
    CacheControl: 'max-age=60',
    Expires: new Date('2030-01-02T03:04:05Z'),
    WebsiteRedirectLocation: '/elsewhere',
  }
  await client.send(
    new PutObjectCommand({ Bucket, Key: 'headers', Body: 'x', ...set, Metadata: { plain: 'text' } }),
  )
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'headers' }))
  assert.equal(head.ContentType, set.ContentType)
  assert.equal(head.ContentEncoding, 'gzip')
  assert.equal(head.ContentDisposition, set.ContentDisposition)
  assert.equal(head.ContentLanguage, set.ContentLanguage)
  assert.equal(head.CacheControl, set.CacheControl)
  assert.equal(head.ExpiresString, 'Wed, 02 Jan 2030 03:04:05 GMT')
  assert.equal(head.WebsiteRedirectLocation, '/elsewhere')
  assert.deepEqual(head.Metadata, { plain: 'text' })
})

test('without a type it is binary/octet-stream; Expires is any text', async () => {
  const headers = { expires: 'some day' }
  const put = await raw({ method: 'PUT', target: `/${Bucket}/untyped`, headers, body: 'x' })
  assert.equal(put.status, 200)
  const head = await raw({ method: 'HEAD', target: `/${Bucket}/untyped` })
  assert.equal(head.headers['content-type'], 'binary/octet-stream')
  assert.equal(head.headers['expires'], 'some day')
})

describe('checksums', () => {
  const Body = patternOf(100_000)

  test('none sent: CRC64NVME of the full object is computed, answered and kept', async () => {
    const expected = toBase64(checksumOf('CRC64NVME', Body))
    const put = await plain.send(new PutObjectCommand({ Bucket, Key: 'default', Body }))
    assert.equal(put.ChecksumCRC64NVME, expected)
    assert.equal(put.ChecksumType, 'FULL_OBJECT')
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'default', ChecksumMode: 'ENABLED' }))
    assert.deepEqual([head.ChecksumCRC64NVME, head.ChecksumType], [expected, 'FULL_OBJECT'])
  })

  for (const algorithm of checksumAlgorithms) {
    test(`${algorithm} in a header: confirmed, kept instead of the default; a wrong one is BadDigest`, async () => {
      const value = toBase64(checksumOf(algorithm, Body))
      const header = `x-amz-checksum-${algorithm.toLowerCase()}`
      const target = `/${Bucket}/with-${algorithm}`
      const put = await raw({ method: 'PUT', target, headers: { [header]: value }, body: Body })
      assert.equal(put.status, 200)
      assert.equal(put.headers[header], value)
      assert.equal(put.headers['x-amz-checksum-type'], 'FULL_OBJECT')
      assert.equal(put.headers['x-amz-checksum-crc64nvme'] === undefined, algorithm !== 'CRC64NVME')
      const wrong = toBase64(checksumOf(algorithm, Body.subarray(1)))
      const refused = await raw({
        method: 'PUT',
        target: `${target}-wrong`,
        headers: { [header]: wrong },
        body: Body,
      })
      assert.deepEqual([refused.status, refused.code], [400, 'BadDigest'])
      assert.match(refused.body, new RegExp(`The ${algorithm} you specified did not match the calculated`))
      assert.equal(await isThere(`with-${algorithm}-wrong`), false)
    })
  }

  test('Content-MD5: confirmed; a wrong one is BadDigest, an impossible one InvalidDigest', async () => {
    const right = createHash('md5').update(Body).digest('base64')
    const send = (value: string) =>
      raw({ method: 'PUT', target: `/${Bucket}/md5`, headers: { 'content-md5': value }, body: Body })
    const wrong = await send(createHash('md5').update('other').digest('base64'))
    assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
    const impossible = await send('not base64')
    assert.deepEqual([impossible.status, impossible.code], [400, 'InvalidDigest'])
    assert.equal(await isThere('md5'), false)
    assert.equal((await send(right)).status, 200)
  })
})

describe('conditions', () => {
  const put = (Key: string, condition: { IfMatch?: string; IfNoneMatch?: string }) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...condition }))
  const etag = `"${md5Hex('x')}"`

  test('If-None-Match: * only makes', async () => {
    await put('made-once', { IfNoneMatch: '*' })
    await assert.rejects(put('made-once', { IfNoneMatch: '*' }), s3Error('PreconditionFailed', 412))
    const answer = await raw({
      method: 'PUT',
      target: `/${Bucket}/made-once`,
      headers: { 'if-none-match': '*' },
    })
    assert.match(answer.body, /<Condition>If-None-Match<\/Condition>/)
  })

  test('If-Match only replaces what it names', async () => {
    await assert.rejects(put('matched', { IfMatch: etag }), s3Error('NoSuchKey', 404))
    await put('matched', {})
    await put('matched', { IfMatch: etag })
    await put('matched', { IfMatch: etag.replaceAll('"', '') })
    await assert.rejects(put('matched', { IfMatch: `"${md5Hex('y')}"` }), s3Error('PreconditionFailed', 412))
  })

  test('of many that make the same key, one does', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, () => put('race', { IfNoneMatch: '*' })),
    )
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  const unbuilt = [
    ['If-None-Match', { IfNoneMatch: etag }],
    ['If-Match', { IfMatch: '*' }],
    ['If-Match,If-None-Match', { IfMatch: etag, IfNoneMatch: '*' }],
  ] as const
  for (const [header, condition] of unbuilt) {
    test(`S3 does not take ${JSON.stringify(condition)}`, async () => {
      await assert.rejects(put('unbuilt', condition), (error) => {
        s3Error('NotImplemented', 501)(error)
        assert.ok(error instanceof Error && 'Header' in error)
        assert.equal(error.Header, header)
        return true
      })
    })
  }
})

describe('limits', () => {
  test('a key has at most 1,024 bytes of UTF-8', async () => {
    const Key = 'ü'.repeat(512)
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
    await assert.rejects(
      client.send(new PutObjectCommand({ Bucket, Key: `${Key}x`, Body: 'x' })),
      s3Error('KeyTooLongError', 400),
    )
  })

  test('metadata has at most 2 KiB', async () => {
    const put = (size: number) =>
      client.send(
        new PutObjectCommand({ Bucket, Key: 'metadata', Body: 'x', Metadata: { n: 'v'.repeat(size) } }),
      )
    await put(2047)
    await assert.rejects(put(2048), s3Error('MetadataTooLarge', 400))
  })

  test('more than 5 GiB is EntityTooLarge before a byte of it is sent', async () => {
    const size = 5 * 1024 ** 3 + 1
    const answer = await raw({
      method: 'PUT',
      target: `/${Bucket}/large`,
      headers: {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'content-encoding': 'aws-chunked',
        'x-amz-decoded-content-length': String(size),
      },
    })
    assert.deepEqual([answer.status, answer.code], [400, 'EntityTooLarge'])
    assert.match(answer.body, new RegExp(`<ProposedSize>${size}</ProposedSize>`))
  })

  test('a redirect leads to a path or a URL', async () => {
    const answer = (value: string) =>
      raw({
        method: 'PUT',
        target: `/${Bucket}/redirect`,
        headers: { 'x-amz-website-redirect-location': value },
      })
    assert.equal((await answer('https://example.com/')).status, 200)
    assert.equal((await answer('example.com')).code, 'InvalidRedirectLocation')
    assert.equal((await answer(`/${'x'.repeat(2048)}`)).code, 'InvalidRequest')
  })
})

test('a bucket that is not there is NoSuchBucket, whatever else is wrong', async () => {
  const headers = { 'content-md5': createHash('md5').update('other').digest('base64') }
  const answer = await raw({ method: 'PUT', target: '/no-such-bucket/key', headers, body: 'x' })
  assert.deepEqual([answer.status, answer.code], [404, 'NoSuchBucket'])
  assert.match(answer.body, /<BucketName>no-such-bucket<\/BucketName>/)
})

test('the bucket must be the expected account’s', async () => {
  await assert.rejects(
    client.send(
      new PutObjectCommand({ Bucket, Key: 'owned', Body: 'x', ExpectedBucketOwner: '123456789012' }),
    ),
    s3Error('AccessDenied', 403),
  )
})

describe('what is not built is refused by name', () => {
  const headers: readonly (readonly [string, string])[] = [
    ['x-amz-object-lock-mode', 'GOVERNANCE'],
    ['x-amz-object-lock-retain-until-date', '2030-01-01T00:00:00Z'],
    ['x-amz-object-lock-legal-hold', 'ON'],
    ['x-amz-server-side-encryption', 'AES256'],
    ['x-amz-server-side-encryption', 'aws:kms'],
    ['x-amz-server-side-encryption-customer-algorithm', 'AES256'],
    ['x-amz-storage-class', 'GLACIER'],
    ['x-amz-write-offset-bytes', '1'],
  ]
  for (const [name, value] of headers) {
    test(`${name}: ${value}`, async () => {
      const answer = await raw({
        method: 'PUT',
        target: `/${Bucket}/unbuilt`,
        headers: { [name]: value },
        body: 'x',
      })
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
      assert.match(answer.body, new RegExp(`<Header>${name}</Header>`))
      assert.equal(await isThere('unbuilt'), false)
    })
  }
})

describe('tags', () => {
  test('are kept', async () => {
    const Tagging = 'b=2&a+x=%C3%A4&c'
    await client.send(new PutObjectCommand({ Bucket, Key: 'tagged', Tagging }))
    const { TagSet } = await client.send(new GetObjectTaggingCommand({ Bucket, Key: 'tagged' }))
    assert.deepEqual(TagSet, [
      { Key: 'a x', Value: 'ä' },
      { Key: 'b', Value: '2' },
      { Key: 'c', Value: '' },
    ])
    await client.send(new PutObjectCommand({ Bucket, Key: 'tagged' }))
    assert.equal((await client.send(new HeadObjectCommand({ Bucket, Key: 'tagged' }))).TagCount, undefined)
  })

  for (const [Tagging, code] of [
    ['=v', 'InvalidArgument'],
    ['k=1&k=2', 'InvalidArgument'],
    ['k=%', 'InvalidArgument'],
    ['k?=v', 'InvalidArgument'],
    ['key1=val1,key2=val2', 'InvalidArgument'],
    ['aws:k=v', 'InvalidTag'],
    [Array.from({ length: 11 }, (_, index) => `k${index}`).join('&'), 'BadRequest'],
  ] as const) {
    test(`${Tagging} is ${code}`, async () => {
      const put = client.send(new PutObjectCommand({ Bucket, Key: 'ill-tagged', Tagging }))
      await assert.rejects(put, s3Error(code, 400))
      assert.equal(await isThere('ill-tagged'), false)
    })
  }
})

describe('storage classes', () => {
  for (const StorageClass of [
    'REDUCED_REDUNDANCY',
    'STANDARD_IA',
    'GLACIER_IR',
    'INTELLIGENT_TIERING',
  ] as const) {
    test(`${StorageClass} is recorded and told`, async () => {
      await client.send(new PutObjectCommand({ Bucket, Key: StorageClass, Body: 'x', StorageClass }))
      const head = await client.send(new HeadObjectCommand({ Bucket, Key: StorageClass }))
      assert.equal(head.StorageClass, StorageClass)
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: StorageClass }))
      assert.equal(Contents?.[0]?.StorageClass, StorageClass)
    })
  }

  test('STANDARD is not told; what is no class is InvalidStorageClass', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key: 'standard', StorageClass: 'STANDARD' }))
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'standard' }))
    assert.equal(head.StorageClass, undefined)
    for (const name of ['standard', 'EXPRESS_ONEZONE', 'OUTPOSTS']) {
      const headers = { 'x-amz-storage-class': name }
      const answer = await raw({ method: 'PUT', target: `/${Bucket}/classless`, headers, body: 'x' })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidStorageClass'], name)
      assert.ok(answer.body.includes(`<StorageClassRequested>${name}</StorageClassRequested>`))
    }
    assert.equal(await isThere('classless'), false)
  })
})

test('versions: an id of its own where they are enabled, none where they are suspended', async () => {
  const versioned = await newBucket()
  const put = async (condition: { IfNoneMatch?: string; IfMatch?: string } = {}) =>
    await client.send(new PutObjectCommand({ Bucket: versioned, Key: 'k', Body: 'x', ...condition }))
  assert.equal((await put()).VersionId, undefined)
  await setVersioning(client, versioned, 'Enabled')
  const [one, two] = [await put(), await put()]
  assert.match(one.VersionId ?? '', /^[A-Za-z0-9._]{32}$/)
  assert.notEqual(one.VersionId, two.VersionId)
  await assert.rejects(put({ IfNoneMatch: '*' }), s3Error('PreconditionFailed', 412))
  await putDeleteMarker(client, versioned, 'k')
  await assert.rejects(put({ IfMatch: one.ETag ?? '' }), s3Error('NoSuchKey', 404))
  assert.ok((await put({ IfNoneMatch: '*' })).VersionId)
  await setVersioning(client, versioned, 'Suspended')
  assert.equal((await put()).VersionId, undefined)
})

test('a condition that does not hold is refused before the body', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'early', Body: 'x' }))
  for (const [key, header, value, status] of [
    ['early', 'if-none-match', '*', 412],
    ['early', 'if-match', '"another"', 412],
    ['early-none', 'if-match', '"another"', 404],
  ] as const) {
    const headers = {
      [header]: value,
      'content-length': '1000',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      expect: '100-continue',
    }
    const head = { method: 'PUT', target: `/${Bucket}/${key}`, headers }
    const socket = await openRequest({ address, region, credentials }, head)
    // The first answer: 100 would have come before it.
    assert.equal((await answerOf(socket)).status, status, key)
  }
})

test('what If-Match spoke of is deleted or replaced while the body is on its way: 409, 412', async () => {
  for (const [meanwhile, status, code] of [
    [() => client.send(new DeleteObjectCommand({ Bucket, Key: 'raced' })), 409, 'ConditionalRequestConflict'],
    [() => client.send(new PutObjectCommand({ Bucket, Key: 'raced', Body: 'b' })), 412, 'PreconditionFailed'],
  ] as const) {
    const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket, Key: 'raced', Body: 'a' }))
    const headers = {
      'if-match': ETag,
      'content-length': '4',
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
      expect: '100-continue',
    }
    const head = { method: 'PUT', target: `/${Bucket}/raced`, headers }
    const socket = await openRequest({ address, region, credentials }, head)
    const first: unknown[] = await once(socket, 'data')
    assert.match(String(first[0]), /^HTTP\/1\.1 100 /)
    await meanwhile()
    socket.write('body')
    assert.deepEqual(await answerOf(socket), { status, code })
  }
})

test('too few nodes to be safe on: 503, nothing is kept, and it goes on when they are back', async () => {
  for (const Body of [patternOf(1000), patternOf(100_000)]) {
    for (const node of nodes.slice(1)) faults.unreachable.add(node)
    const put = () => client.send(new PutObjectCommand({ Bucket, Key: `down-${Body.length}`, Body }))
    await assert.rejects(put(), s3Error('ServiceUnavailable', 503))
    assert.equal(await isThere(`down-${Body.length}`), false)
    heal()
    // The nodes that failed are left alone for a moment.
    for (;;) {
      try {
        await put()
        break
      } catch (error) {
        s3Error('ServiceUnavailable', 503)(error)
        await systemClock.sleep(50)
      }
    }
    assert.ok((await bodyOf(`down-${Body.length}`)).equals(Body))
  }
})
