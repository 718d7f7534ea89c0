import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import {
  GetObjectAttributesCommand,
  ObjectAttributes,
  PutObjectCommand,
  type GetObjectAttributesCommandInput,
} from '@aws-sdk/client-s3'
import { md5Hex, patternOf } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { begin, complete, PART_BYTES, upload, uploadParts } from './uploads.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

const all = Object.values(ObjectAttributes)
let Bucket = ''
const attributes = (Key: string, more: Partial<GetObjectAttributesCommandInput> = {}) =>
  client.send(new GetObjectAttributesCommand({ Bucket, Key, ObjectAttributes: all, ...more }))

before(async () => {
  Bucket = await newBucket()
})

test('all of an object in one piece: the ETag without quotes, STANDARD told, no parts', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'one', Body: 'body', ChecksumAlgorithm: 'SHA256' }))
  const answer = await attributes('one')
  const { $metadata, LastModified, ...told } = answer
  assert.equal($metadata.httpStatusCode, 200)
  assert.ok(LastModified instanceof Date)
  assert.deepEqual(told, {
    ETag: md5Hex('body'),
    Checksum: {
      ChecksumSHA256: createHash('sha256').update('body').digest('base64'),
      ChecksumType: 'FULL_OBJECT',
    },
    StorageClass: 'STANDARD',
    ObjectSize: 4,
  })
})

test('only what is asked for', async () => {
  const { body, headers, status } = await raw({
    target: `/${Bucket}/one?attributes`,
    headers: { 'x-amz-object-attributes': 'ObjectSize,ETag' },
  })
  assert.equal(status, 200)
  assert.equal(
    body,
    `<?xml version="1.0" encoding="UTF-8"?>\n<GetObjectAttributesResponse xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><ETag>${md5Hex('body')}</ETag><ObjectSize>4</ObjectSize></GetObjectAttributesResponse>`,
  )
  assert.ok(headers['last-modified'])
  assert.equal(headers['x-amz-version-id'], undefined)
})

describe('parts', () => {
  test('with their sizes and checksums', async () => {
    const { parts, bytes, completed } = await uploadParts(client, Bucket, 'parts', {
      ChecksumAlgorithm: 'SHA256',
    })
    const { ObjectParts, ObjectSize, Checksum, ETag } = await attributes('parts')
    assert.equal(ObjectSize, bytes.length)
    assert.match(ETag ?? '', /^[0-9a-f]{32}-2$/)
    const [, digest] = /^(.{43}=)-2$/.exec(completed.ChecksumSHA256 ?? '') ?? []
    assert.ok(digest)
    assert.deepEqual(Checksum, { ChecksumSHA256: digest, ChecksumType: 'COMPOSITE' })
    assert.deepEqual(ObjectParts, {
      TotalPartsCount: 2,
      PartNumberMarker: '0',
      NextPartNumberMarker: '2',
      MaxParts: 1000,
      IsTruncated: false,
      Parts: [
        { PartNumber: 1, Size: PART_BYTES, ChecksumSHA256: parts[0]?.ChecksumSHA256 },
        { PartNumber: 2, Size: 100_000, ChecksumSHA256: parts[1]?.ChecksumSHA256 },
      ],
    })
  })

  test('only counted where the checksum is of the whole object', async () => {
    await uploadParts(client, Bucket, 'whole', { ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' })
    const { ObjectParts, Checksum } = await attributes('whole')
    assert.equal(Checksum?.ChecksumType, 'FULL_OBJECT')
    assert.deepEqual(ObjectParts, { TotalPartsCount: 2 })
  })

  test('in pages, by the numbers they were uploaded under', async () => {
    const options = { ChecksumAlgorithm: 'SHA256' } as const
    const place = await begin(client, Bucket, 'sparse', options)
    const sent = []
    for (const number of [2, 5, 300]) {
      const body = patternOf(number === 300 ? 10 : PART_BYTES, number)
      sent.push(await upload(client, place, number, body, options))
    }
    await complete(client, place, sent)
    const page = async (MaxParts?: number, PartNumberMarker?: string) => {
      const { ObjectParts } = await attributes('sparse', {
        ...(MaxParts === undefined ? {} : { MaxParts }),
        ...(PartNumberMarker === undefined ? {} : { PartNumberMarker }),
      })
      const { Parts = [], IsTruncated, NextPartNumberMarker, TotalPartsCount } = ObjectParts ?? {}
      assert.equal(TotalPartsCount, 3)
      return [Parts.map(({ PartNumber }) => PartNumber), IsTruncated, NextPartNumberMarker]
    }
    assert.deepEqual(await page(), [[2, 5, 300], false, '300'])
    assert.deepEqual(await page(2), [[2, 5], true, '5'])
    assert.deepEqual(await page(2, '5'), [[300], false, '300'])
    assert.deepEqual(await page(1, '2'), [[5], true, '5'])
    assert.deepEqual(await page(1, '300'), [[], false, '0'])
    assert.deepEqual(await page(1, '10000'), [[], false, '0'])
  })
})

describe('refusals', () => {
  for (const [what, headers, code, message] of [
    ['nothing asked for', {}, 'InvalidRequest', /either missing or empty/],
    ['an empty list', { 'x-amz-object-attributes': '' }, 'InvalidRequest', /either missing or empty/],
    [
      'another attribute',
      { 'x-amz-object-attributes': 'ETag,Owner' },
      'InvalidArgument',
      /Invalid attribute name/,
    ],
    [
      'a negative number of parts',
      { 'x-amz-object-attributes': 'ETag', 'x-amz-max-parts': '-1' },
      'InvalidArgument',
      /x-amz-max-parts/,
    ],
    [
      'a marker that is no number',
      { 'x-amz-object-attributes': 'ETag', 'x-amz-part-number-marker': 'x' },
      'InvalidArgument',
      /x-amz-part-number-marker/,
    ],
  ] as const) {
    test(what, async () => {
      const answer = await raw({ target: `/${Bucket}/one?attributes`, headers: { ...headers } })
      assert.deepEqual([answer.status, answer.code], [400, code])
      assert.match(answer.body, message)
    })
  }

  test('no such bucket, no such key', async () => {
    await assert.rejects(attributes('one', { Bucket: 'not-there' }), s3Error('NoSuchBucket', 404))
    await assert.rejects(attributes('not-there'), s3Error('NoSuchKey', 404))
  })
})

test('versions and delete markers', async () => {
  const versioned = { Bucket: await newBucket() }
  await setVersioning(client, versioned.Bucket, 'Enabled')
  const one = await putVersion(client, versioned.Bucket, 'k', '1')
  const two = await putVersion(client, versioned.Bucket, 'k', 'two')
  const current = await attributes('k', versioned)
  assert.deepEqual([current.VersionId, current.ObjectSize], [two, 3])
  const first = await attributes('k', { ...versioned, VersionId: one })
  assert.deepEqual([first.VersionId, first.ObjectSize, first.DeleteMarker], [one, 1, undefined])
  const marker = await putDeleteMarker(client, versioned.Bucket, 'k')
  await assert.rejects(attributes('k', versioned), s3Error('NoSuchKey', 404))
  await assert.rejects(attributes('k', { ...versioned, VersionId: marker }), s3Error('MethodNotAllowed', 405))
  await assert.rejects(
    attributes('k', { ...versioned, VersionId: ABSENT_VERSION }),
    s3Error('NoSuchVersion', 404),
  )
  await assert.rejects(attributes('k', { ...versioned, VersionId: 'x' }), s3Error('InvalidArgument', 400))
})
