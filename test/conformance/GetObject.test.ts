import assert from 'node:assert/strict'
import { afterEach, before, describe, test } from 'node:test'
import {
  GetObjectCommand,
  PutObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
} from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { patternOf } from './bodies.ts'
import { DOMAIN, s3Error, startConformance, statusOf } from './harness.ts'
import { begin, complete, PART_BYTES, upload, uploadParts } from './uploads.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw, faults, heal, nodes } = await startConformance()

/** More than one stripe, and not a round number of anything. */
const large = patternOf(9 * 1024 * 1024 + 12_345)
const small = Buffer.from('0123456789')
let Bucket = ''
let ETag = ''

before(async () => {
  Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key: 'large', Body: large }))
  await client.send(new PutObjectCommand({ Bucket, Key: 'empty', Body: new Uint8Array() }))
  const put = await client.send(new PutObjectCommand({ Bucket, Key: 'small', Body: small }))
  ETag = put.ETag ?? ''
})

afterEach(heal)

type Input = Omit<GetObjectCommandInput, 'Bucket'>
const get = (input: Input): Promise<GetObjectCommandOutput> =>
  client.send(new GetObjectCommand({ Bucket, ...input }))
const bytesOf = async ({ Body }: GetObjectCommandOutput): Promise<Buffer> =>
  Buffer.from((await Body?.transformToByteArray()) ?? [])

describe('whole objects', () => {
  test('come back byte for byte, with their headers', async () => {
    const answer = await get({ Key: 'small' })
    assert.deepEqual(await bytesOf(answer), small)
    const { ContentLength, ContentType, AcceptRanges, ContentRange, StorageClass, VersionId } = answer
    assert.deepEqual(
      { ContentLength, ContentType, AcceptRanges, ETag: answer.ETag },
      { ContentLength: 10, ContentType: 'application/octet-stream', AcceptRanges: 'bytes', ETag },
    )
    assert.deepEqual([ContentRange, StorageClass, VersionId], [undefined, undefined, undefined])
    assert.ok(Math.abs(Date.now() - (answer.LastModified?.getTime() ?? 0)) < 60_000)
    assert.ok((await bytesOf(await get({ Key: 'large' }))).equals(large))
  })

  test('of no bytes', async () => {
    const answer = await get({ Key: 'empty' })
    assert.deepEqual([await bytesOf(answer), answer.ContentLength], [Buffer.alloc(0), 0])
  })

  test('without a type are binary/octet-stream', async () => {
    await raw({ method: 'PUT', target: `/${Bucket}/typeless`, body: 'x' })
    assert.equal((await get({ Key: 'typeless' })).ContentType, 'binary/octet-stream')
  })

  test('with all the metadata they were stored with', async () => {
    const stored = {
      ContentType: 'text/plain; charset=utf-8',
      ContentEncoding: 'identity',
      ContentDisposition: 'attachment; filename="a.txt"',
      ContentLanguage: 'de-DE',
      CacheControl: 'max-age=60',
      WebsiteRedirectLocation: '/elsewhere',
      Metadata: { colour: 'blue', empty: '', word: 'Grüße' },
    }
    const Expires = new Date('2030-01-02T03:04:05Z')
    await client.send(new PutObjectCommand({ Bucket, Key: 'described', Body: 'x', Expires, ...stored }))
    const answer = await get({ Key: 'described' })
    const told = Object.fromEntries(Object.entries(answer).filter(([name]) => name in stored))
    assert.equal(answer.ExpiresString, 'Wed, 02 Jan 2030 03:04:05 GMT')
    assert.deepEqual({ ...told, Metadata: undefined }, { ...stored, Metadata: undefined })
    assert.equal(answer.Metadata?.['colour'], 'blue')
    assert.equal(answer.Metadata?.['empty'], '')
    // Not ASCII: as S3 sends it, RFC 2047.
    assert.match(answer.Metadata?.['word'] ?? '', /^=\?UTF-8\?[BQ]\?/i)
  })

  test('with keys of every kind', async () => {
    for (const Key of ['a b', 'a+b', 'ä/ö', '%2F', '../up', 'a//b', '\u{1f600}', 'x'.repeat(1024)]) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
      assert.equal(String(await bytesOf(await get({ Key }))), Key)
    }
  })

  test('virtual-host style', async () => {
    const headers = { host: `${Bucket}.${DOMAIN}` }
    const answer = await raw({ target: '/small', headers })
    assert.deepEqual([answer.status, answer.body], [200, small.toString()])
  })

  test('checksums are told only to those who ask', async () => {
    await client.send(
      new PutObjectCommand({ Bucket, Key: 'summed', Body: '123456789', ChecksumAlgorithm: 'CRC32' }),
    )
    const { headers } = await raw({ target: `/${Bucket}/summed` })
    assert.ok(!Object.keys(headers).some((name) => name.startsWith('x-amz-checksum')))
    const told = await raw({ target: `/${Bucket}/summed`, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
    assert.equal(told.headers['x-amz-checksum-crc32'], 'y/Q5Jg==')
    assert.equal(told.headers['x-amz-checksum-type'], 'FULL_OBJECT')
    const range = { 'x-amz-checksum-mode': 'ENABLED', range: 'bytes=0-3' }
    const part = await raw({ target: `/${Bucket}/summed`, headers: range })
    assert.deepEqual([part.status, part.headers['x-amz-checksum-crc32']], [206, undefined])
    // A range that leaves nothing out has the object's, and the mode may be written in any case.
    for (const all of ['bytes=0-8', 'bytes=0-100', 'bytes=-15']) {
      const asked = { 'x-amz-checksum-mode': 'enabled', range: all }
      const answer = await raw({ target: `/${Bucket}/summed`, headers: asked })
      assert.deepEqual([answer.status, answer.headers['x-amz-checksum-crc32']], [206, 'y/Q5Jg=='], all)
    }
  })
})

// č and Ċ are U+010D and U+010A: a head cut to one byte a character would end its line there.
test('headers that are not ASCII come back as the bytes that were sent, and split nothing', async () => {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1')
  const headers = {
    'content-disposition': bytes('attachment; filename="ü日😀.txt"; čĊX-Injected: yes'),
    'cache-control': bytes('ü日😀'),
  }
  for (const body of ['hello', '']) {
    const target = `/${Bucket}/${body}-in-utf-8`
    assert.equal((await raw({ method: 'PUT', target, headers, body })).status, 200)
    for (const method of ['GET', 'HEAD']) {
      const answer = await raw({ method, target })
      assert.deepEqual([answer.status, answer.headers['content-length']], [200, String(body.length)])
      assert.partialDeepStrictEqual(answer.headers, headers, `${method} of '${body}'`)
    }
  }
})

describe('ranges', () => {
  const rows: readonly (readonly [string, number, string, string | undefined])[] = [
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-100', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=9-9', 206, '9', 'bytes 9-9/10'],
    ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
    ['bytes=0-9', 206, '0123456789', 'bytes 0-9/10'],
    // What S3 does not honour, it ignores.
    ['bytes=3-1', 200, '0123456789', undefined],
    ['bytes=0-1,3-4', 200, '0123456789', undefined],
    ['lines=0-1', 200, '0123456789', undefined],
    ['bytes=', 200, '0123456789', undefined],
  ]
  for (const [range, status, body, contentRange] of rows) {
    test(`${range} → ${status}`, async () => {
      const answer = await raw({ target: `/${Bucket}/small`, headers: { range } })
      assert.deepEqual(
        [answer.status, answer.body, answer.headers['content-range'], answer.headers['content-length']],
        [status, body, contentRange, String(body.length)],
      )
      assert.equal(answer.headers['etag'], ETag)
    })
  }

  for (const [key, range, size] of [
    ['small', 'bytes=10-', 10],
    ['small', 'bytes=10-20', 10],
    ['small', 'bytes=-0', 10],
    ['empty', 'bytes=0-', 0],
    ['empty', 'bytes=-1', 0],
  ] as const) {
    test(`${range} of ${size} bytes → 416`, async () => {
      const answer = await raw({ target: `/${Bucket}/${key}`, headers: { range } })
      assert.deepEqual([answer.status, answer.code], [416, 'InvalidRange'])
      assert.match(answer.body, new RegExp(`<ActualObjectSize>${size}</ActualObjectSize>`))
      assert.match(answer.body, new RegExp(`<RangeRequested>${range}</RangeRequested>`))
    })
  }

  test('any range of a large object', async () => {
    const offset = fc.integer({ min: 0, max: large.length - 1 })
    const property = fc.asyncProperty(offset, offset, async (a, b) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)]
      const answer = await get({ Key: 'large', Range: `bytes=${first}-${last}` })
      assert.equal(answer.ContentRange, `bytes ${first}-${last}/${large.length}`)
      assert.ok((await bytesOf(answer)).equals(large.subarray(first, last + 1)))
    })
    await fc.assert(property, { numRuns: 15 })
  })
})

describe('conditions', () => {
  const past = new Date(Date.now() - 86_400_000)
  const future = new Date(Date.now() + 86_400_000)
  const other = '"00000000000000000000000000000000"'
  const rows: readonly (readonly [string, () => Input, number])[] = [
    ['If-Match of its tag', () => ({ Key: 'small', IfMatch: ETag }), 200],
    ['If-Match *', () => ({ Key: 'small', IfMatch: '*' }), 200],
    ['If-Match of another', () => ({ Key: 'small', IfMatch: other }), 412],
    ['If-None-Match of its tag', () => ({ Key: 'small', IfNoneMatch: ETag }), 304],
    ['If-None-Match of another', () => ({ Key: 'small', IfNoneMatch: other }), 200],
    ['If-Modified-Since before', () => ({ Key: 'small', IfModifiedSince: past }), 200],
    [
      'If-Modified-Since in the future, which is ignored',
      () => ({ Key: 'small', IfModifiedSince: future }),
      200,
    ],
    ['If-Unmodified-Since before', () => ({ Key: 'small', IfUnmodifiedSince: past }), 412],
    ['If-Unmodified-Since after', () => ({ Key: 'small', IfUnmodifiedSince: future }), 200],
    [
      'If-Match outweighs If-Unmodified-Since',
      () => ({ Key: 'small', IfMatch: ETag, IfUnmodifiedSince: past }),
      200,
    ],
    [
      'If-None-Match outweighs If-Modified-Since',
      () => ({ Key: 'small', IfNoneMatch: ETag, IfModifiedSince: past }),
      304,
    ],
    [
      'a failed condition comes before the range',
      () => ({ Key: 'small', IfMatch: other, Range: 'bytes=99-' }),
      412,
    ],
  ]
  for (const [what, input, status] of rows) {
    test(`${what} → ${status}`, async () => {
      if (status === 200) {
        assert.equal(String(await bytesOf(await get(input()))), small.toString())
      } else {
        const error: unknown = await get(input()).catch((thrown: unknown) => thrown)
        assert.equal(statusOf(error), status)
      }
    })
  }

  test('If-Modified-Since of its own second is 304', async () => {
    const { LastModified } = await get({ Key: 'small' })
    const headers = { 'if-modified-since': LastModified?.toUTCString() ?? '' }
    assert.equal((await raw({ target: `/${Bucket}/small`, headers })).status, 304)
  })

  test('304 has the validators and no body; 412 names the condition', async () => {
    const same = await raw({ target: `/${Bucket}/small`, headers: { 'if-none-match': ETag } })
    assert.deepEqual([same.status, same.body, same.headers['etag']], [304, '', ETag])
    assert.match(same.headers['last-modified'] ?? '', / GMT$/)
    const cached = { CacheControl: 'max-age=60', Expires: new Date('2030-01-02T03:04:05Z') }
    const put = await client.send(new PutObjectCommand({ Bucket, Key: 'cached', Body: 'x', ...cached }))
    const headers = { 'if-none-match': put.ETag ?? '' }
    const unchanged = await raw({ target: `/${Bucket}/cached`, headers })
    assert.deepEqual(
      [unchanged.status, unchanged.headers['cache-control'], unchanged.headers['expires']],
      [304, 'max-age=60', 'Wed, 02 Jan 2030 03:04:05 GMT'],
    )
    const failed = await raw({ target: `/${Bucket}/small`, headers: { 'if-match': other } })
    assert.deepEqual([failed.status, failed.code], [412, 'PreconditionFailed'])
    assert.match(failed.body, /<Condition>If-Match<\/Condition>/)
  })
})

describe('part numbers', () => {
  test('of an object in one piece', async () => {
    const answer = await get({ Key: 'small', PartNumber: 1 })
    assert.deepEqual([answer.$metadata.httpStatusCode, answer.ContentRange], [206, 'bytes 0-9/10'])
    assert.equal(answer.PartsCount, undefined)
    assert.deepEqual(await bytesOf(answer), small)
    await assert.rejects(get({ Key: 'small', PartNumber: 2 }), s3Error('InvalidPartNumber', 416))
    assert.equal((await get({ Key: 'empty', PartNumber: 1 })).$metadata.httpStatusCode, 200)
  })

  test('of a multipart object: its bytes, its place, how many there are', async () => {
    const parts = [patternOf(PART_BYTES, 1), patternOf(PART_BYTES, 2), patternOf(100, 3)]
    const place = await begin(client, Bucket, 'parts')
    const uploaded = []
    // Whatever numbers they came under.
    for (const [index, part] of parts.entries()) {
      const { PartNumber, ETag: tag } = await upload(client, place, index * 3 + 2, part)
      uploaded.push({ PartNumber, ETag: tag })
    }
    await complete(client, place, uploaded)
    let start = 0
    for (const [index, part] of parts.entries()) {
      const answer = await get({ Key: 'parts', PartNumber: index + 1, ChecksumMode: 'ENABLED' })
      assert.equal(answer.PartsCount, parts.length)
      assert.equal(answer.ContentRange, `bytes ${start}-${start + part.length - 1}/${2 * PART_BYTES + 100}`)
      assert.ok((await bytesOf(answer)).equals(part))
      start += part.length
    }
    await assert.rejects(get({ Key: 'parts', PartNumber: 4 }), s3Error('InvalidPartNumber', 416))
    const whole = await get({ Key: 'parts' })
    assert.equal(whole.PartsCount, undefined)
    assert.ok((await bytesOf(whole)).equals(Buffer.concat(parts)))
  })

  test('with its own checksum where the object has a composite one, else with none', async () => {
    for (const ChecksumType of ['COMPOSITE', 'FULL_OBJECT'] as const) {
      const { Key, parts } = await uploadParts(client, Bucket, ChecksumType, {
        ChecksumAlgorithm: 'CRC32',
        ChecksumType,
      })
      const told =
        ChecksumType === 'COMPOSITE' ? [parts[1]?.ChecksumCRC32, ChecksumType] : [undefined, undefined]
      const answer = await get({ Key, PartNumber: 2, ChecksumMode: 'ENABLED' })
      assert.deepEqual([answer.ChecksumCRC32, answer.ChecksumType], told)
    }
  })

  test('0, 10,001 and words are InvalidArgument, a range as well InvalidRequest', async () => {
    for (const part of ['0', '10001', 'one']) {
      const answer = await raw({ target: `/${Bucket}/small?partNumber=${part}` })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], part)
    }
    const both = get({ Key: 'small', PartNumber: 1, Range: 'bytes=0-1' })
    await assert.rejects(both, s3Error('InvalidRequest', 400))
  })
})

test('response-* replace what was stored', async () => {
  const answer = await get({
    Key: 'small',
    ResponseContentType: 'text/x-replaced',
    ResponseContentDisposition: 'inline',
    ResponseCacheControl: 'no-store',
    ResponseContentEncoding: 'identity',
    ResponseContentLanguage: 'la',
    ResponseExpires: new Date(0),
  })
  const { ContentType, ContentDisposition, CacheControl, ContentLanguage, ExpiresString } = answer
  assert.deepEqual(
    [ContentType, ContentDisposition, CacheControl, ContentLanguage, ExpiresString],
    ['text/x-replaced', 'inline', 'no-store', 'la', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  )
  const { status, code } = await raw({ target: `/${Bucket}/small?response-content-type=a%0D%0Ab` })
  assert.deepEqual([status, code], [400, 'InvalidArgument'])
})

describe('errors', () => {
  test('NoSuchKey names the key, NoSuchBucket the bucket', async () => {
    await assert.rejects(get({ Key: 'absent' }), s3Error('NoSuchKey', 404))
    const key = await raw({ target: `/${Bucket}/absent%20one` })
    assert.match(key.body, /<Key>absent one<\/Key>/)
    const bucket = await raw({ target: '/not-there/key' })
    assert.deepEqual([bucket.status, bucket.code], [404, 'NoSuchBucket'])
    assert.match(bucket.body, /<BucketName>not-there<\/BucketName>/)
  })

  test('a key of 1,025 bytes is KeyTooLongError', async () => {
    await assert.rejects(get({ Key: 'k'.repeat(1025) }), s3Error('KeyTooLongError', 400))
  })

  test('customer keys are not built', async () => {
    const name = 'x-amz-server-side-encryption-customer-algorithm'
    const encrypted = await raw({ target: `/${Bucket}/small`, headers: { [name]: 'AES256' } })
    assert.deepEqual([encrypted.status, encrypted.code], [501, 'NotImplemented'])
  })

  test('the bucket of another, and anonymous requests', async () => {
    const denied = get({ Key: 'small', ExpectedBucketOwner: '111122223333' })
    await assert.rejects(denied, s3Error('AccessDenied', 403))
    const { status, code } = await raw({ target: `/${Bucket}/small`, signed: false })
    assert.deepEqual([status, code], [403, 'AccessDenied'])
  })
})

describe('versions', () => {
  let versioned = ''
  const ask = (query = '', method = 'GET', headers = {}) =>
    raw({ method, target: `/${versioned}/k${query}`, headers })
  const version = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
    headers['x-amz-version-id']

  before(async () => {
    versioned = await newBucket()
  })

  test('a bucket that never had any names none; the null version may be asked for', async () => {
    await putVersion(client, versioned, 'k', 'null')
    const answers = [await ask(), await ask('?versionId=null')]
    assert.deepEqual(
      answers.map(({ body }) => body),
      ['null', 'null'],
    )
    assert.deepEqual(answers.map(version), [undefined, undefined])
    const absent = await ask(`?versionId=${ABSENT_VERSION}`)
    assert.deepEqual([absent.status, absent.code], [404, 'NoSuchVersion'])
    assert.match(absent.body, new RegExp(`<Key>k</Key><VersionId>${ABSENT_VERSION}</VersionId>`))
  })

  test('the current one and any other, the null version included', async () => {
    await setVersioning(client, versioned, 'Enabled')
    assert.deepEqual([(await ask()).body, version(await ask())], ['null', 'null'])
    const one = await putVersion(client, versioned, 'k', 'one')
    const two = await putVersion(client, versioned, 'k', 'two')
    for (const [query, body, id] of [
      ['', 'two', two],
      [`?versionId=${two}`, 'two', two],
      [`?versionId=${one}`, 'one', one],
      ['?versionId=null', 'null', 'null'],
    ] as const) {
      const answer = await ask(query)
      assert.deepEqual([answer.status, answer.body, version(answer)], [200, body, id], query)
    }
    const range = await ask(`?versionId=${one}`, 'GET', { range: 'bytes=1-' })
    assert.deepEqual([range.status, range.body, version(range)], [206, 'ne', one])
  })

  test('a delete marker is no object: 404 as the current version, 405 by its id', async () => {
    const marker = await putDeleteMarker(client, versioned, 'k')
    const current = await ask()
    assert.deepEqual([current.status, current.code], [404, 'NoSuchKey'])
    assert.deepEqual([version(current), current.headers['x-amz-delete-marker']], [marker, 'true'])
    assert.match(current.body, /<Key>k<\/Key><RequestId>/)
    const named = await ask(`?versionId=${marker}`)
    assert.deepEqual([named.status, named.code], [405, 'MethodNotAllowed'])
    assert.deepEqual([version(named), named.headers['x-amz-delete-marker']], [marker, 'true'])
    assert.equal(named.headers['allow'], 'DELETE')
    assert.ok(!Number.isNaN(Date.parse(named.headers['last-modified'] ?? '')))
    assert.match(named.body, /<Method>GET<\/Method><ResourceType>DeleteMarker<\/ResourceType>/)
  })

  for (const [query, message] of [
    ['?versionId=', 'Version id cannot be the empty string'],
    ['?versionId=abc', 'Invalid version id specified'],
    [`?versionId=${ABSENT_VERSION}A`, 'Invalid version id specified'],
    ['?versionId=NULL', 'Invalid version id specified'],
  ] as const) {
    test(`${query} is InvalidArgument`, async () => {
      const answer = await ask(query)
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'])
      const value = query.slice('?versionId='.length)
      assert.ok(answer.body.includes(`<Message>${message}</Message><ArgumentName>versionId</ArgumentName>`))
      assert.ok(answer.body.includes(`<ArgumentValue>${value}</ArgumentValue>`))
    })
  }
})

describe('If-Range', () => {
  const ask = (ifRange: string) =>
    raw({ target: `/${Bucket}/small`, headers: { range: 'bytes=2-4', 'if-range': ifRange } })

  test('the object as the client knows it: the range; another: all of it', async () => {
    const time = (await get({ Key: 'small' })).LastModified?.toUTCString() ?? ''
    for (const [ifRange, status, body] of [
      [ETag, 206, '234'],
      [time, 206, '234'],
      ['"another"', 200, '0123456789'],
      [`W/${ETag}`, 200, '0123456789'],
      ['Thu, 01 Jan 1970 00:00:00 GMT', 200, '0123456789'],
    ] as const) {
      const answer = await ask(ifRange)
      assert.deepEqual([answer.status, answer.body], [status, body], ifRange)
    }
  })
})

test('x-amz-tagging-count, x-amz-storage-class', async () => {
  await client.send(
    new PutObjectCommand({ Bucket, Key: 'tagged', Tagging: 'a=1&b=2', StorageClass: 'STANDARD_IA' }),
  )
  const { TagCount, StorageClass } = await get({ Key: 'tagged' })
  assert.deepEqual([TagCount, StorageClass], [2, 'STANDARD_IA'])
})

describe('nodes lost', () => {
  test('a zone: every byte is still there', async () => {
    for (const node of nodes) if (node.startsWith('zone-b')) faults.unreachable.add(node)
    assert.ok((await bytesOf(await get({ Key: 'large' }))).equals(large))
    assert.deepEqual(await bytesOf(await get({ Key: 'small' })), small)
  })

  test('too many: an error that clients retry, not a body cut short', async () => {
    for (const node of nodes) faults.unreachable.add(node)
    for (const Key of ['large', 'small']) {
      await assert.rejects(get({ Key }), s3Error('ServiceUnavailable', 503))
    }
    assert.equal((await get({ Key: 'empty' })).ContentLength, 0)
    heal()
    assert.ok((await bytesOf(await get({ Key: 'large' }))).equals(large))
  })
})
