import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { checksumAlgorithms, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { fromBase64, toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { md5Hex, patternOf, readBody } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { bare, begin, complete, PART_BYTES, upload, uploadParts, type Place } from './uploads.ts'

const { client, raw, newBucket, address, region, credentials, metadata } = await startConformance()
const Bucket = await newBucket()

const finish = (place: Place, document: string, headers: Record<string, string> = {}) =>
  raw({
    method: 'POST',
    target: `/${place.Bucket}/${place.Key}?uploadId=${encodeURIComponent(place.UploadId)}`,
    headers,
    body: document,
  })
const documentOf = (parts: string): string =>
  `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts}</CompleteMultipartUpload>`
const partOf = (number: number, etag: string, more = ''): string =>
  `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag>${more}</Part>`

/** An upload with one small part. */
async function started(Key: string, options: Parameters<typeof begin>[3] = {}) {
  const place = await begin(client, Bucket, Key, options)
  const { ChecksumAlgorithm } = options
  const part = await upload(client, place, 1, 'part one', { ChecksumAlgorithm })
  return { place, part, etag: md5Hex('part one') }
}

test('the object is its parts in order, under the MD5 of their MD5s', async () => {
  const { Key, bytes, parts, completed } = await uploadParts(client, Bucket, 'dir/key ü')
  const md5s = [bytes.subarray(0, PART_BYTES), bytes.subarray(PART_BYTES)].map((part) => md5Hex(part))
  const etag = `"${createHash('md5')
    .update(Buffer.from(md5s.join(''), 'hex'))
    .digest('hex')}-2"`
  assert.equal(completed.ETag, etag)
  assert.equal(completed.Bucket, Bucket)
  assert.equal(completed.Key, Key)
  assert.equal(completed.Location, `http://${address}/${Bucket}/dir/key%20%C3%BC`)
  assert.equal(parts.length, 2)
  assert.ok((await readBody(client, Bucket, Key)).equals(bytes))
  const head = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.deepEqual([head.ETag, head.ContentLength], [etag, bytes.length])
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  assert.deepEqual(Uploads, [])
})

test('lib-storage’s Upload, four parts at a time', async () => {
  const bytes = patternOf(3 * PART_BYTES + 17)
  const params = { Bucket, Key: 'by-upload', Body: bytes }
  await new Upload({ client, params, partSize: PART_BYTES, queueSize: 4 }).done()
  assert.ok((await readBody(client, Bucket, 'by-upload')).equals(bytes))
})

test('parts that are not named are left out', async () => {
  const place = await begin(client, Bucket, 'some')
  const named = await upload(client, place, 7, 'seven')
  await upload(client, place, 3, 'three')
  await complete(client, place, [bare(named)])
  assert.equal((await readBody(client, Bucket, 'some')).toString(), 'seven')
})

test('an object of one empty part', async () => {
  const place = await begin(client, Bucket, 'nothing')
  const { ETag } = await complete(client, place, [bare(await upload(client, place, 1, ''))])
  assert.match(ETag ?? '', /-1"$/)
  assert.equal((await readBody(client, Bucket, 'nothing')).length, 0)
})

test('sent again after it succeeded, it is answered the same', async () => {
  const { place, part } = await started('twice')
  const first = await complete(client, place, [bare(part)])
  const second = await complete(client, place, [bare(part)])
  assert.equal(second.ETag, first.ETag)
  assert.equal(second.ChecksumCRC64NVME, first.ChecksumCRC64NVME)
  // Its condition held when it was committed, and is not asked again.
  const third = await finish(place, documentOf(partOf(1, part.ETag ?? '')), { 'if-none-match': '*' })
  assert.equal(third.status, 200, third.body)
  // But not when other parts are named, nor when the object is another by now.
  await assert.rejects(
    complete(client, place, [{ PartNumber: 1, ETag: md5Hex('other') }]),
    s3Error('NoSuchUpload', 404),
  )
  await client.send(new PutObjectCommand({ Bucket, Key: 'twice', Body: 'newer' }))
  await assert.rejects(complete(client, place, [bare(part)]), s3Error('NoSuchUpload', 404))
  assert.equal((await readBody(client, Bucket, 'twice')).toString(), 'newer')
})

describe('ETags', () => {
  for (const [what, form] of [
    ['in quotes', (etag: string) => `"${etag}"`],
    ['escaped', (etag: string) => `&quot;${etag}&quot;`],
    ['bare', (etag: string) => etag],
  ] as const) {
    test(what, async () => {
      const { place, etag } = await started('quoted')
      assert.equal((await finish(place, documentOf(partOf(1, form(etag))))).status, 200)
    })
  }
})

describe('documents', () => {
  const malformed: readonly (readonly [string, string])[] = [
    ['no part', documentOf('')],
    ['an empty element', '<CompleteMultipartUpload/>'],
    ['not closed', '<CompleteMultipartUpload><Part>'],
    ['another root', '<Other/>'],
    ['no XML', 'parts, please'],
    ['a part without a number', documentOf('<Part><ETag>x</ETag></Part>')],
    ['a part without an ETag', documentOf('<Part><PartNumber>1</PartNumber></Part>')],
    ['a number that is none', documentOf('<Part><PartNumber>one</PartNumber><ETag>x</ETag></Part>')],
    ['an unknown element', documentOf(partOf(1, 'x', '<More/>'))],
    ['a doctype', `<!DOCTYPE a [<!ENTITY b "c">]>${documentOf(partOf(1, '&b;'))}`],
    ['10,001 parts', documentOf(Array.from({ length: 10_001 }, (_, i) => partOf(i + 1, 'x')).join(''))],
  ]
  for (const [what, document] of malformed) {
    test(`${what}: MalformedXML`, async () => {
      const { place } = await started('malformed')
      const answer = await finish(place, document)
      assert.deepEqual([answer.status, answer.code], [400, 'MalformedXML'])
    })
  }

  test('none: InvalidRequest, of an upload that is there', async () => {
    const { place } = await started('none')
    const missing = await finish({ ...place, UploadId: 'none' }, '')
    assert.deepEqual([missing.status, missing.code], [404, 'NoSuchUpload'])
    const answer = await finish(place, '')
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
    assert.match(answer.body, /You must specify at least one part/)
  })

  test('part number 0: InvalidArgument', async () => {
    const { place, etag } = await started('zero')
    const answer = await finish(place, documentOf(partOf(0, etag)))
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'])
    assert.match(answer.body, /PartNumber must be &gt;= 1/)
  })

  test('out of order, or twice: InvalidPartOrder', async () => {
    const { place, etag } = await started('order')
    for (const numbers of [
      [2, 1],
      [1, 1],
    ]) {
      const answer = await finish(place, documentOf(numbers.map((number) => partOf(number, etag)).join('')))
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidPartOrder'])
      assert.match(answer.body, new RegExp(`<UploadId>${place.UploadId}</UploadId>`))
    }
  })

  test('a part that is not there, or has another ETag: InvalidPart', async () => {
    const { place, etag } = await started('invalid')
    for (const [number, tag] of [
      [2, etag],
      [10_001, etag],
      [1, md5Hex('other')],
    ] as const) {
      const answer = await finish(place, documentOf(partOf(number, tag)))
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidPart'])
      const fields = `<UploadId>${place.UploadId}</UploadId><PartNumber>${number}</PartNumber><ETag>${tag}</ETag>`
      assert.ok(answer.body.includes(fields), answer.body)
    }
  })
})

test('a part under 5 MiB that is not the last: EntityTooSmall', async () => {
  const { place, etag } = await started('small')
  await upload(client, place, 2, 'part one')
  const answer = await finish(place, documentOf(partOf(1, etag) + partOf(2, etag)))
  assert.deepEqual([answer.status, answer.code], [400, 'EntityTooSmall'])
  const fields = `<ProposedSize>8</ProposedSize><MinSizeAllowed>${PART_BYTES}</MinSizeAllowed><PartNumber>1</PartNumber><ETag>${etag}</ETag>`
  assert.ok(answer.body.includes(fields), answer.body)
})

test('uploads that are not there', async () => {
  const { place, part, etag } = await started('there')
  for (const other of [
    { ...place, Key: 'elsewhere' },
    { ...place, UploadId: 'f'.repeat(32) },
    { ...place, UploadId: "' or 1=1 --" },
  ]) {
    const answer = await finish(other, documentOf(partOf(1, etag)))
    assert.deepEqual([answer.status, answer.code], [404, 'NoSuchUpload'])
  }
  await assert.rejects(
    complete(client, { ...place, Bucket: 'no-such-bucket' }, [part]),
    s3Error('NoSuchBucket', 404),
  )
})

test('x-amz-mp-object-size must be the size', async () => {
  const { place, etag } = await started('sized')
  const document = documentOf(partOf(1, etag))
  const message = "The provided 'x-amz-mp-object-size' header value 9 does not match what was computed: 8"
  const wrong = await finish(place, document, { 'x-amz-mp-object-size': '9' })
  assert.deepEqual([wrong.status, wrong.code], [400, 'InvalidRequest'])
  assert.ok(wrong.body.replaceAll('&apos;', "'").includes(message), wrong.body)
  const negative = await finish(place, document, { 'x-amz-mp-object-size': '-1' })
  assert.match(negative.body, /header is less than zero/)
  const none = await finish(place, document, { 'x-amz-mp-object-size': 'eight' })
  assert.deepEqual([none.status, none.code], [400, 'InvalidRequest'])
  assert.match(none.body, /Value for x-amz-mp-object-size header is invalid/)
  assert.equal((await finish(place, document, { 'x-amz-mp-object-size': '8' })).status, 200)
})

describe('conditions', () => {
  test('If-None-Match: * and If-Match are decided at the commit', async () => {
    await put('conditional', 'x')
    const { place, etag } = await started('conditional')
    const document = documentOf(partOf(1, etag))
    for (const headers of [{ 'if-none-match': '*' }, { 'if-match': etag }]) {
      const failed = await finish(place, document, headers)
      assert.deepEqual([failed.status, failed.code], [412, 'PreconditionFailed'])
    }
    assert.equal((await finish(place, document, { 'if-match': `"${md5Hex('x')}"` })).status, 200)
    const { place: next } = await started('conditional-2')
    const missing = await finish(next, document, { 'if-match': etag })
    assert.deepEqual([missing.status, missing.code], [404, 'NoSuchKey'])
    assert.equal((await finish(next, document, { 'if-none-match': '*' })).status, 200)
  })

  /** The first round is refused, since the object changed after the upload began; one that begins after that is not. */
  const conflict = async (
    Key: string,
    change: () => Promise<unknown>,
    headers: Record<string, string>,
    refusal: readonly [number, string] = [409, 'ConditionalRequestConflict'],
  ) => {
    const { place, etag } = await started(Key)
    await change()
    const refused = await finish(place, documentOf(partOf(1, etag)), headers)
    assert.deepEqual([refused.status, refused.code], refusal, refused.body)
    return { place, etag, refused }
  }
  const put = (Key: string, Body: string) => client.send(new PutObjectCommand({ Bucket, Key, Body }))

  test('the object was replaced after the upload began: a conflict, even by the same bytes', async () => {
    for (const Body of ['other', 'there']) {
      const Key = `replaced-by-${Body}`
      await put(Key, 'there')
      const headers = { 'if-match': md5Hex(Body) }
      const { refused } = await conflict(Key, () => put(Key, Body), headers)
      assert.match(refused.body, new RegExp(`<Condition>If-Match</Condition>.*<Key>${Key}</Key>`))
      const { place, etag } = await started(Key)
      assert.equal((await finish(place, documentOf(partOf(1, etag)), headers)).status, 200)
    }
  })

  test('another ETag than the one of the object that replaced it: 412', async () => {
    await put('replaced', 'there')
    const headers = { 'if-match': md5Hex('there') }
    const refusal = [412, 'PreconditionFailed'] as const
    const { place, etag } = await conflict('replaced', () => put('replaced', 'other'), headers, refusal)
    // Without a condition the same upload goes on.
    assert.equal((await finish(place, documentOf(partOf(1, etag)))).status, 200)
    assert.equal((await readBody(client, Bucket, 'replaced')).toString(), 'part one')
  })

  test('the object was deleted after the upload began: 404 for If-Match, a conflict for If-None-Match', async () => {
    const remove = (Key: string) => () => client.send(new DeleteObjectCommand({ Bucket, Key }))
    await put('deleted', 'there')
    const headers = { 'if-match': md5Hex('there') }
    const { place, etag } = await conflict('deleted', remove('deleted'), headers, [404, 'NoSuchKey'])
    await put('deleted', 'there')
    const again = await finish(place, documentOf(partOf(1, etag)), headers)
    assert.deepEqual([again.status, again.code], [409, 'ConditionalRequestConflict'])

    await put('deleted-none', 'there')
    const { refused } = await conflict('deleted-none', remove('deleted-none'), { 'if-none-match': '*' })
    assert.match(refused.body, /<Condition>If-None-Match<\/Condition>/)
  })

  test('an object that came after the upload began: 412 for If-None-Match', async () => {
    const refusal = [412, 'PreconditionFailed'] as const
    await conflict('came', () => put('came', 'there'), { 'if-none-match': '*' }, refusal)
  })

  test('others are not implemented, as in S3', async () => {
    const { place, etag } = await started('unbuilt')
    const answer = await finish(place, documentOf(partOf(1, etag)), { 'if-none-match': etag })
    assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
  })
})

describe('versions', () => {
  const setVersioning = (Status: 'Enabled' | 'Suspended') =>
    client.send(new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration: { Status } }))
  const startedIn = async (Key: string, body: string) => {
    const place = await begin(client, versioned, Key)
    return { place, part: bare(await upload(client, place, 1, body)) }
  }
  const versioned = 'completed-versions'
  before(async () => {
    await client.send(new CreateBucketCommand({ Bucket: versioned }))
    await setVersioning('Enabled')
  })

  test('each completion makes a version, and says which; a repeat names the same', async () => {
    const versions: (string | undefined)[] = []
    const repeats: (() => ReturnType<typeof complete>)[] = []
    for (const body of ['one', 'two']) {
      const { place, part } = await startedIn('key', body)
      repeats.push(() => complete(client, place, [part]))
      versions.push((await complete(client, place, [part])).VersionId)
    }
    for (const [i, repeat] of repeats.entries()) assert.equal((await repeat()).VersionId, versions[i])
    assert.equal(new Set(versions).size, 2)
    for (const [i, body] of ['one', 'two'].entries()) {
      const { Body, VersionId } = await client.send(
        new GetObjectCommand({ Bucket: versioned, Key: 'key', VersionId: versions[i] }),
      )
      assert.deepEqual([await Body?.transformToString(), VersionId], [body, versions[i]])
    }
    const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: versioned }))
    assert.deepEqual(
      Versions.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
      [
        [versions[1], true],
        [versions[0], false],
      ],
    )
  })

  test('conditions speak of the current version; a delete marker is none', async () => {
    const Key = 'conditional'
    const { ETag } = await client.send(new PutObjectCommand({ Bucket: versioned, Key, Body: 'x' }))
    let first = await startedIn(Key, 'first')
    const send = (more: object) =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...first.place,
          MultipartUpload: { Parts: [first.part] },
          ...more,
        }),
      )
    await assert.rejects(send({ IfNoneMatch: '*' }), s3Error('PreconditionFailed', 412))
    await client.send(new DeleteObjectCommand({ Bucket: versioned, Key }))
    await assert.rejects(send({ IfMatch: ETag }), s3Error('NoSuchKey', 404))
    await assert.rejects(send({ IfNoneMatch: '*' }), s3Error('ConditionalRequestConflict', 409))
    first = await startedIn(Key, 'first')
    assert.ok((await send({ IfNoneMatch: '*' })).VersionId)
  })

  test('while versioning is suspended, the null version, which answers do not name', async () => {
    await setVersioning('Suspended')
    const { place, part } = await startedIn('suspended', 'x')
    assert.equal((await complete(client, place, [part])).VersionId, undefined)
    const head = await client.send(new HeadObjectCommand({ Bucket: versioned, Key: 'suspended' }))
    assert.equal(head.VersionId, 'null')
  })
})

describe('checksums', () => {
  const two = [patternOf(PART_BYTES), patternOf(1000, 3)] as const
  const whole = Buffer.concat(two)
  const raws = (algorithm: ChecksumAlgorithm) => Buffer.concat(two.map((part) => checksumOf(algorithm, part)))

  for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    test(`${algorithm}, FULL_OBJECT: of the bytes, without reading them again`, async () => {
      const { completed, bytes, Key } = await uploadParts(client, Bucket, `full-${algorithm}`, {
        ChecksumAlgorithm: algorithm,
        ChecksumType: 'FULL_OBJECT',
      })
      const value = toBase64(checksumOf(algorithm, bytes))
      assert.equal(completed[`Checksum${algorithm}`], value)
      assert.equal(completed.ChecksumType, 'FULL_OBJECT')
      const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
      assert.deepEqual([head[`Checksum${algorithm}`], head.ChecksumType], [value, 'FULL_OBJECT'])
    })
  }

  test('of another algorithm than the default, which is all the upload has: passed over, whatever it is', async () => {
    const { place, part } = await started('by-default')
    const expected = { ChecksumCRC32C: 'AAAAAA==-1', MultipartUpload: { Parts: [bare(part)] } }
    const { ChecksumType } = await client.send(new CompleteMultipartUploadCommand({ ...place, ...expected }))
    assert.equal(ChecksumType, 'FULL_OBJECT')
  })

  for (const algorithm of checksumAlgorithms.filter((name) => name !== 'CRC64NVME')) {
    test(`${algorithm}, COMPOSITE: of the parts' checksums`, async () => {
      const Key = `composite-${algorithm}`
      const place = await begin(client, Bucket, Key, { ChecksumAlgorithm: algorithm })
      const parts: CompletedPart[] = []
      for (const [i, Body] of two.entries()) {
        const sum = toBase64(checksumOf(algorithm, Body))
        const part = { PartNumber: i + 1, [`Checksum${algorithm}`]: sum }
        const { ETag } = await client.send(new UploadPartCommand({ ...place, ...part, Body }))
        parts.push({ ...part, ETag })
      }
      const value = `${toBase64(checksumOf(algorithm, raws(algorithm)))}-2`
      const completed = await complete(client, place, parts)
      assert.deepEqual([completed[`Checksum${algorithm}`], completed.ChecksumType], [value, 'COMPOSITE'])
      const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }))
      assert.deepEqual([head[`Checksum${algorithm}`], head.ChecksumType], [value, 'COMPOSITE'])
    })
  }

  test('none asked for: CRC64NVME of the bytes, whatever the parts brought', async () => {
    const plain = new S3Client({
      region,
      credentials,
      endpoint: `http://${address}`,
      forcePathStyle: true,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    })
    for (const sender of [client, plain]) {
      const place = await begin(plain, Bucket, 'default')
      const parts: CompletedPart[] = []
      for (const [i, body] of two.entries()) parts.push(bare(await upload(sender, place, i + 1, body)))
      const completed = await complete(plain, place, parts)
      assert.equal(completed.ChecksumCRC64NVME, toBase64(checksumOf('CRC64NVME', whole)))
      assert.equal(completed.ChecksumType, 'FULL_OBJECT')
    }
    plain.destroy()
  })

  const expectation = async (Key: string, headers: Record<string, string>, checksum = true) => {
    const { place, part, etag } = await started(Key, { ChecksumAlgorithm: 'CRC32' })
    const { ChecksumCRC32 = '' } = part
    const more = checksum ? `<ChecksumCRC32>${ChecksumCRC32}</ChecksumCRC32>` : ''
    const composite = toBase64(checksumOf('CRC32', fromBase64(ChecksumCRC32) ?? new Uint8Array()))
    const sent: Record<string, string> = {}
    for (const [name, value] of Object.entries(headers)) sent[name] = value.replace('RIGHT', composite)
    return await finish(place, documentOf(partOf(1, etag, more)), sent)
  }

  test('the object’s own may be expected, with the number of parts or without', async () => {
    for (const value of ['RIGHT', 'RIGHT-1']) {
      assert.equal((await expectation('expected', { 'x-amz-checksum-crc32': value })).status, 200)
    }
    for (const value of ['AAAAAA==', 'RIGHT-2']) {
      const wrong = await expectation('expected', { 'x-amz-checksum-crc32': value })
      assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
      assert.match(wrong.body, /The crc32 you specified did not match the calculated checksum\./)
    }
    for (const value of ['nonsense', 'RIGHT-a']) {
      const invalid = await expectation('expected', { 'x-amz-checksum-crc32': value })
      assert.deepEqual([invalid.status, invalid.code], [400, 'InvalidRequest'])
      assert.match(invalid.body, /Value for x-amz-checksum-crc32 header is invalid\./)
    }
  })

  test('of a full object too', async () => {
    const { place, part, etag } = await started('expected-full', {
      ChecksumAlgorithm: 'CRC32C',
      ChecksumType: 'FULL_OBJECT',
    })
    const document = documentOf(partOf(1, etag))
    const wrong = await finish(place, document, { 'x-amz-checksum-crc32c': 'AAAAAA==' })
    assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
    const other = await finish(place, document, { 'x-amz-checksum-crc32': 'AAAAAA==' })
    assert.deepEqual([other.status, other.code], [400, 'BadDigest'])
    assert.match(other.body, /The crc32c you specified did not match the calculated checksum\./)
    const right = await finish(place, document, { 'x-amz-checksum-crc32c': part.ChecksumCRC32C ?? '' })
    assert.equal(right.status, 200)
  })

  test('its type must be that of the upload', async () => {
    const answer = await expectation('typed', { 'x-amz-checksum-type': 'FULL_OBJECT' })
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
    assert.match(answer.body, /created using the COMPOSITE checksum mode/)
    assert.equal((await expectation('typed', { 'x-amz-checksum-type': 'COMPOSITE' })).status, 200)
    const { place, etag } = await started('untyped')
    for (const type of ['FULL_OBJECT', 'COMPOSITE']) {
      const none = await finish(place, documentOf(partOf(1, etag)), { 'x-amz-checksum-type': type })
      assert.deepEqual([none.status, none.code], [400, 'InvalidRequest'])
      assert.match(none.body, /created using the null checksum mode/)
    }
  })

  test('a composite one needs those of the parts', async () => {
    const answer = await expectation('unnamed', {}, false)
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest'])
    assert.match(answer.body, /created using a crc32 checksum.*missing for part 1 in the request/)
  })

  test('a part’s checksum that is wrong, of another algorithm, doubled or no checksum', async () => {
    const { place, part, etag } = await started('part-checksums', { ChecksumAlgorithm: 'CRC32' })
    const right = `<ChecksumCRC32>${part.ChecksumCRC32 ?? ''}</ChecksumCRC32>`
    for (const [more, code, message] of [
      ['<ChecksumCRC32>AAAAAA==</ChecksumCRC32>', 'InvalidPart', 'One or more of the specified parts'],
      [
        '<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>',
        'BadDigest',
        'The crc32c you specified for part 1 did not match',
      ],
      [
        `${right}<ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>`,
        'InvalidArgument',
        'Invalid Base64 or multiple checksums',
      ],
      ['<ChecksumCRC32>nonsense</ChecksumCRC32>', 'InvalidArgument', 'Invalid Base64 or multiple checksums'],
    ] as const) {
      const answer = await finish(place, documentOf(partOf(1, etag, more)))
      assert.deepEqual([answer.status, answer.code], [400, code])
      assert.ok(answer.body.includes(message), answer.body)
    }
    assert.equal((await finish(place, documentOf(partOf(1, etag, right)))).status, 200)
  })

  test('a part’s checksum of another algorithm where the upload’s is of the full object: BadDigest', async () => {
    const { place, etag } = await started('full-other', {
      ChecksumAlgorithm: 'CRC32C',
      ChecksumType: 'FULL_OBJECT',
    })
    const sha1 = `<ChecksumSHA1>${toBase64(new Uint8Array(20))}</ChecksumSHA1>`
    const answer = await finish(place, documentOf(partOf(1, etag, sha1)))
    assert.deepEqual([answer.status, answer.code], [400, 'BadDigest'])
    assert.match(answer.body, /The sha1 you specified for part 1 did not match what we received\./)
  })

  test('a part’s checksum where the upload has none: InvalidPart', async () => {
    const { place, etag } = await started('uncalled-for')
    const document = documentOf(partOf(1, etag, '<ChecksumCRC32>AAAAAA==</ChecksumCRC32>'))
    const answer = await finish(place, document)
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidPart'])
  })
})

test('an upload of 10,000 parts', async () => {
  const place = await begin(client, Bucket, 'many')
  const numbers = Array.from({ length: 10_000 }, (_, i) => i + 1)
  const crc = toBase64(checksumOf('CRC64NVME', new Uint8Array()))
  const etag = md5Hex('')
  for (let at = 0; at < numbers.length; at += 500) {
    await Promise.all(
      numbers.slice(at, at + 500).map((partNumber) =>
        metadata.call('commitPart', {
          bucket: Bucket,
          key: 'many',
          uploadId: place.UploadId,
          part: {
            format: 1,
            partNumber,
            // The records alone: the bytes are not what is counted here.
            size: BigInt(PART_BYTES),
            etag,
            checksums: [{ algorithm: 'CRC64NVME', value: crc, type: 'FULL_OBJECT' }],
          },
        }),
      ),
    )
  }
  const answer = await finish(place, documentOf(numbers.map((number) => partOf(number, etag)).join('')))
  assert.equal(answer.status, 200, answer.body)
  assert.match(answer.body, /-10000&quot;<|-10000"</)
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'many' }))
  assert.equal(head.ContentLength, 10_000 * PART_BYTES)
})

test('not built: a key of the client’s own', async () => {
  const { place, etag } = await started('sse')
  const headers = { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' }
  const answer = await finish(place, documentOf(partOf(1, etag)), headers)
  assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
})

test('CompleteMultipartUpload without a document by the SDK', async () => {
  const { place } = await started('sdk-none')
  await assert.rejects(
    client.send(new CompleteMultipartUploadCommand({ ...place, MultipartUpload: { Parts: [] } })),
    s3Error('MalformedXML', 400),
  )
})
