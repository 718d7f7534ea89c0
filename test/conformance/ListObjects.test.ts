import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import {
  ListObjectsCommand,
  type ListObjectsCommandInput,
  type ListObjectsCommandOutput,
  PutBucketAclCommand,
  PutBucketOwnershipControlsCommand,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { EMPTY_ETAG, putEmpty } from './objects.ts'

const { client, newBucket, raw, metadata } = await startConformance()

const keys = ['a/1', 'a/2', 'b', 'c/1', 'd e']
let Bucket = ''

before(async () => {
  Bucket = await newBucket()
  await putEmpty(metadata, Bucket, keys)
})

const list = (input: Omit<ListObjectsCommandInput, 'Bucket'> = {}): Promise<ListObjectsCommandOutput> =>
  client.send(new ListObjectsCommand({ Bucket, ...input }))
const keysOf = ({ Contents = [] }: ListObjectsCommandOutput): unknown[] => Contents.map(({ Key }) => Key)
const prefixesOf = ({ CommonPrefixes = [] }: ListObjectsCommandOutput): unknown[] =>
  CommonPrefixes.map(({ Prefix }) => Prefix)

test('all keys, with owners, and what was not given', async () => {
  const answer = await list()
  assert.deepEqual(keysOf(answer), keys)
  const { Name, Prefix, Marker, MaxKeys, IsTruncated, NextMarker, Delimiter, EncodingType } = answer
  assert.deepEqual(
    { Name, Prefix, Marker, MaxKeys, IsTruncated, NextMarker, Delimiter, EncodingType },
    {
      Name: Bucket,
      Prefix: '',
      Marker: '',
      MaxKeys: 1000,
      IsTruncated: false,
      NextMarker: undefined,
      Delimiter: undefined,
      EncodingType: undefined,
    },
  )
  const [first] = answer.Contents ?? []
  assert.equal(first?.ETag, `"${EMPTY_ETAG}"`)
  assert.deepEqual(first?.Owner, { ID: 'owner-of-the-object' })
  const { body } = await raw({ target: `/${Bucket}` })
  assert.match(body, /<ListBucketResult xmlns="http:\/\/s3.amazonaws.com\/doc\/2006-03-01\/">/)
  assert.match(body, /<LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z<\/LastModified>/)
  assert.doesNotMatch(body, /KeyCount/)
})

test('NextMarker only with a delimiter: a key, or a whole common prefix', async () => {
  const plain = await list({ MaxKeys: 2 })
  assert.deepEqual([plain.IsTruncated, plain.NextMarker], [true, undefined])
  const rolled = await list({ MaxKeys: 1, Delimiter: '/' })
  assert.deepEqual([prefixesOf(rolled), rolled.NextMarker], [['a/'], 'a/'])
  const next = await list({ MaxKeys: 1, Delimiter: '/', Marker: 'a/' })
  assert.deepEqual([keysOf(next), next.NextMarker, next.Marker], [['b'], 'b', 'a/'])
  const last = await list({ Delimiter: '/', Marker: 'b' })
  assert.deepEqual([prefixesOf(last), keysOf(last), last.NextMarker], [['c/'], ['d e'], undefined])
})

test('a marker inside a common prefix goes on after all of it', async () => {
  const answer = await list({ Delimiter: '/', Marker: 'a/1' })
  assert.deepEqual([prefixesOf(answer), keysOf(answer), answer.Marker], [['c/'], ['b', 'd e'], 'a/1'])
  assert.deepEqual(keysOf(await list({ Marker: 'a/1', MaxKeys: 1 })), ['a/2'])
  assert.deepEqual(keysOf(await list({ Prefix: 'a/', Delimiter: '/', Marker: 'a/1' })), ['a/2'])
  assert.deepEqual(prefixesOf(await list({ Delimiter: '/', Marker: 'a/2' })), ['c/'])
})

test('nobody known is told no owners', async () => {
  const open = await newBucket()
  await client.send(
    new PutBucketOwnershipControlsCommand({
      Bucket: open,
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerPreferred' }] },
    }),
  )
  await client.send(new PutBucketAclCommand({ Bucket: open, ACL: 'public-read' }))
  await putEmpty(metadata, open, ['key'])
  for (const signed of [true, false]) {
    const { status, body } = await raw({ target: `/${open}`, signed })
    assert.equal(status, 200)
    assert.equal(body.includes('<Owner>'), signed)
  }
})

test('max-keys: 0, more than 1,000, negative', async () => {
  const none = await list({ MaxKeys: 0 })
  assert.deepEqual([keysOf(none), none.IsTruncated, none.MaxKeys], [[], false, 0])
  assert.equal((await list({ MaxKeys: 4000 })).MaxKeys, 1000)
  const { status, code } = await raw({ target: `/${Bucket}?max-keys=-1` })
  assert.deepEqual([status, code], [400, 'InvalidArgument'])
})

test('encoding-type=url encodes every name', async () => {
  const input = { EncodingType: 'url', Delimiter: ' ', Prefix: 'd', Marker: 'c d', MaxKeys: 1 } as const
  const answer = await list(input)
  const { Prefix, Marker, Delimiter, EncodingType } = answer
  assert.deepEqual(
    { Prefix, Marker, Delimiter, EncodingType },
    {
      Prefix: 'd',
      Marker: 'c+d',
      Delimiter: '+',
      EncodingType: 'url',
    },
  )
  assert.deepEqual(prefixesOf(answer), ['d+'])
  await putEmpty(metadata, Bucket, ['d f/1', 'd g'])
  const truncated = await list({ ...input, Delimiter: '/', MaxKeys: 2 })
  assert.deepEqual([keysOf(truncated), prefixesOf(truncated)], [['d+e'], ['d+f/']])
  assert.equal(truncated.NextMarker, 'd+f/')
})

test('NoSuchBucket', async () => {
  const command = new ListObjectsCommand({ Bucket: 'not-there' })
  await assert.rejects(client.send(command), s3Error('NoSuchBucket', 404))
})
