import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import {
  ListObjectsV2Command,
  paginateListObjectsV2,
  type ListObjectsV2CommandInput,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3'
import fc from 'fast-check'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { s3Error, startConformance } from './harness.ts'
import { EMPTY_ETAG, putEmpty } from './objects.ts'

const { client, newBucket, raw, metadata } = await startConformance()

const keys = ['a/1', 'a/2', 'b', 'c/d/1', 'c/d/2', 'c/e', 'z z+%', 'é', '\u{e000}', '\u{1f600}']
let Bucket = ''

before(async () => {
  Bucket = await newBucket()
  await putEmpty(metadata, Bucket, keys)
})

type Input = Omit<ListObjectsV2CommandInput, 'Bucket'>
const list = (input: Input = {}): Promise<ListObjectsV2CommandOutput> =>
  client.send(new ListObjectsV2Command({ Bucket, ...input }))
const keysOf = ({ Contents = [] }: ListObjectsV2CommandOutput): unknown[] => Contents.map(({ Key }) => Key)
const prefixesOf = ({ CommonPrefixes = [] }: ListObjectsV2CommandOutput): unknown[] =>
  CommonPrefixes.map(({ Prefix }) => Prefix)

test('all keys in order of their UTF-8, and what is told of each', async () => {
  const answer = await list()
  assert.deepEqual(keysOf(answer), keys)
  const { Name, Prefix, MaxKeys, KeyCount, IsTruncated, Delimiter, StartAfter, NextContinuationToken } =
    answer
  assert.deepEqual(
    { Name, Prefix, MaxKeys, KeyCount, IsTruncated },
    { Name: Bucket, Prefix: '', MaxKeys: 1000, KeyCount: keys.length, IsTruncated: false },
  )
  assert.deepEqual([Delimiter, StartAfter, NextContinuationToken], [undefined, undefined, undefined])
  const [first] = answer.Contents ?? []
  const { LastModified, ...told } = first ?? {}
  assert.ok(Math.abs(Date.now() - (LastModified?.getTime() ?? 0)) < 60_000)
  // In whole seconds, as HEAD has it.
  assert.equal(LastModified?.getMilliseconds(), 0)
  assert.deepEqual(told, {
    Key: 'a/1',
    ETag: `"${EMPTY_ETAG}"`,
    Size: 0,
    StorageClass: 'STANDARD',
    ChecksumAlgorithm: ['CRC32'],
    ChecksumType: 'FULL_OBJECT',
  })
})

test('fetch-owner', async () => {
  const answer = await list({ FetchOwner: true, MaxKeys: 1 })
  assert.deepEqual(answer.Contents?.[0]?.Owner, { ID: 'owner-of-the-object' })
})

describe('delimiters', () => {
  test('roll up', async () => {
    const answer = await list({ Delimiter: '/' })
    assert.deepEqual(prefixesOf(answer), ['a/', 'c/'])
    assert.deepEqual(keysOf(answer), ['b', 'z z+%', 'é', '\u{e000}', '\u{1f600}'])
    assert.deepEqual([answer.KeyCount, answer.Delimiter], [7, '/'])
  })

  test('below a prefix', async () => {
    const answer = await list({ Delimiter: '/', Prefix: 'c/' })
    assert.deepEqual([prefixesOf(answer), keysOf(answer), answer.Prefix], [['c/d/'], ['c/e'], 'c/'])
  })

  test('of any length and letters', async () => {
    assert.deepEqual(prefixesOf(await list({ Delimiter: 'd/1' })), ['c/d/1'])
    assert.deepEqual(prefixesOf(await list({ Delimiter: ' z' })), ['z z'])
    assert.deepEqual(prefixesOf(await list({ Delimiter: '\u{1f600}' })), ['\u{1f600}'])
    assert.deepEqual(prefixesOf(await list({ Delimiter: 'nowhere' })), [])
  })

  test('an empty one is none', async () => {
    const answer = await list({ Delimiter: '' })
    assert.deepEqual([keysOf(answer), answer.Delimiter], [keys, undefined])
  })
})

describe('max-keys', () => {
  test('0 is an empty page that is whole', async () => {
    const answer = await list({ MaxKeys: 0 })
    const { KeyCount, MaxKeys, IsTruncated, NextContinuationToken } = answer
    assert.deepEqual([KeyCount, MaxKeys, IsTruncated, NextContinuationToken], [0, 0, false, undefined])
  })

  test('the exact number of keys is not truncated, one less is', async () => {
    assert.equal((await list({ MaxKeys: keys.length })).IsTruncated, false)
    assert.equal((await list({ MaxKeys: keys.length - 1 })).IsTruncated, true)
    assert.equal((await list({ MaxKeys: 7, Delimiter: '/' })).IsTruncated, false)
    assert.equal((await list({ MaxKeys: 6, Delimiter: '/' })).IsTruncated, true)
  })

  test('more than 1,000 is 1,000', async () => {
    const large = await newBucket()
    const many = Array.from({ length: 1001 }, (_, index) => String(index).padStart(4, '0'))
    await putEmpty(metadata, large, many)
    const answer = await client.send(new ListObjectsV2Command({ Bucket: large, MaxKeys: 5000 }))
    assert.deepEqual([answer.KeyCount, answer.MaxKeys, answer.IsTruncated], [1000, 1000, true])
    const pages: unknown[] = []
    for await (const page of paginateListObjectsV2({ client }, { Bucket: large })) pages.push(...keysOf(page))
    assert.deepEqual(pages, many)
  })

  const messages: readonly (readonly [string, RegExp])[] = [
    ['-1', /<ArgumentName>maxKeys<\/ArgumentName>/],
    ['few', /<ArgumentName>max-keys<\/ArgumentName>/],
    ['1.5', /<ArgumentName>max-keys<\/ArgumentName>/],
  ]
  for (const [value, argument] of messages) {
    test(`${value} is InvalidArgument`, async () => {
      const answer = await raw({ target: `/${Bucket}?list-type=2&max-keys=${value}` })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'])
      assert.match(answer.body, argument)
    })
  }
})

describe('going on', () => {
  test('start-after need not be a key, and is echoed', async () => {
    const answer = await list({ StartAfter: 'b0' })
    assert.deepEqual([keysOf(answer), answer.StartAfter], [keys.slice(3), 'b0'])
    assert.deepEqual(keysOf(await list({ StartAfter: 'b' })), keys.slice(3))
    assert.deepEqual(keysOf(await list({ StartAfter: '\u{1f600}' })), [])
  })

  test('a continuation token outweighs start-after, and both are echoed', async () => {
    const first = await list({ StartAfter: 'a/1', MaxKeys: 1 })
    assert.deepEqual(keysOf(first), ['a/2'])
    const ContinuationToken = first.NextContinuationToken
    const second = await list({ StartAfter: 'z', MaxKeys: 1, ContinuationToken })
    assert.deepEqual(keysOf(second), ['b'])
    assert.deepEqual([second.ContinuationToken, second.StartAfter], [ContinuationToken, 'z'])
  })

  test('pages of any size, with or without prefix and delimiter, give what one page gives', async () => {
    const someDelimiter = fc.constantFrom('', '/', 'd', ' ')
    const somePrefix = fc.constantFrom('', 'a', 'c/', 'c/d', 'x')
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      someDelimiter,
      somePrefix,
      async (size, Delimiter, Prefix) => {
        const whole = await list({ Delimiter, Prefix })
        const found: string[] = []
        for await (const page of paginateListObjectsV2(
          { client, pageSize: size },
          { Bucket, Delimiter, Prefix },
        )) {
          const names = [...keysOf(page), ...prefixesOf(page)].map(String)
          assert.ok(names.length === size || page.IsTruncated === false)
          found.push(...names)
        }
        const expected = [...keysOf(whole), ...prefixesOf(whole)].map(String)
        assert.deepEqual(found.toSorted(compareUtf8), expected.toSorted(compareUtf8))
      },
    )
    await fc.assert(property, { numRuns: 30 })
  })

  test('tokens that are not ours are InvalidArgument', async () => {
    const { NextContinuationToken = '' } = await list({ MaxKeys: 1 })
    const broken = [`${NextContinuationToken}A`, NextContinuationToken.slice(1), '', 'b', 'YQ==', '%00']
    for (const token of broken) {
      const answer = await raw({ target: `/${Bucket}?list-type=2&continuation-token=${token}` })
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], token)
      assert.match(answer.body, /<ArgumentName>continuation-token<\/ArgumentName>/)
    }
  })
})

describe('encoding-type', () => {
  test('url encodes keys, prefixes, the delimiter and start-after', async () => {
    const answer = await list({ EncodingType: 'url', Prefix: 'z z', StartAfter: 'a b', Delimiter: '%' })
    assert.deepEqual(prefixesOf(answer), ['z+z%2B%25'])
    assert.deepEqual(
      [answer.EncodingType, answer.Prefix, answer.StartAfter, answer.Delimiter],
      ['url', 'z+z', 'a+b', '%25'],
    )
    const keysOnly = await list({ EncodingType: 'url', Prefix: 'é' })
    assert.deepEqual(keysOf(keysOnly), ['%C3%A9'])
    assert.deepEqual(keysOf(await list({ EncodingType: 'url', Prefix: 'a/1' })), ['a/1'])
  })

  test('a key that XML cannot carry arrives', async () => {
    const bucket = await newBucket()
    await putEmpty(metadata, bucket, ['nul\u0000', 'line\nfeed'])
    const command = new ListObjectsV2Command({ Bucket: bucket, EncodingType: 'url' })
    assert.deepEqual(keysOf(await client.send(command)), ['line%0Afeed', 'nul%00'])
  })

  test('anything else is InvalidArgument', async () => {
    const { status, code } = await raw({ target: `/${Bucket}?list-type=2&encoding-type=base64` })
    assert.deepEqual([status, code], [400, 'InvalidArgument'])
  })
})

test('RestoreStatus may be asked for: nothing is archived', async () => {
  const answer = await list({ OptionalObjectAttributes: ['RestoreStatus'], MaxKeys: 1 })
  assert.equal(answer.Contents?.[0]?.RestoreStatus, undefined)
})

test('NoSuchBucket, and AccessDenied for the bucket of another', async () => {
  await assert.rejects(
    client.send(new ListObjectsV2Command({ Bucket: 'not-there' })),
    s3Error('NoSuchBucket', 404),
  )
  await assert.rejects(list({ ExpectedBucketOwner: '111122223333' }), s3Error('AccessDenied', 403))
})
