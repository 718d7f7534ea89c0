import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { CreateBucketCommand, ListBucketsCommand, paginateListBuckets } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, raw, metadata } = await startConformance()

const names = ['apple', 'apricot', 'banana', 'cherry']
const startedMs = Date.now()

before(async () => {
  for (const Bucket of names.toReversed()) await client.send(new CreateBucketCommand({ Bucket }))
  await metadata.call('createBucket', { bucket: { name: 'foreign', owner: 'somebody else', region: '' } })
})

const named = (buckets: readonly { Name?: string | undefined }[] | undefined): unknown[] =>
  (buckets ?? []).map(({ Name }) => Name)

test("one's own buckets by name, with their owner and dates", async () => {
  const answer = await client.send(new ListBucketsCommand())
  assert.deepEqual(named(answer.Buckets), names)
  assert.match(answer.Owner?.ID ?? '', /^[0-9a-f]{64}$/)
  assert.equal(answer.ContinuationToken, undefined)
  for (const { CreationDate, BucketRegion, BucketArn } of answer.Buckets ?? []) {
    const ms = CreationDate?.getTime() ?? 0
    assert.ok(ms >= startedMs - 1000 && ms <= Date.now())
    // Only requests with a parameter get it.
    assert.equal(BucketRegion, undefined)
    assert.match(BucketArn ?? '', /^arn:aws:s3:::[a-z]/)
  }
})

test('pages by max-buckets and continuation-token', async () => {
  const pages: unknown[][] = []
  for await (const page of paginateListBuckets({ client, pageSize: 3 }, {})) pages.push(named(page.Buckets))
  assert.deepEqual(pages, [names.slice(0, 3), names.slice(3)])
  const exact = await client.send(new ListBucketsCommand({ MaxBuckets: 4 }))
  assert.deepEqual(named(exact.Buckets), names)
  assert.equal(exact.ContinuationToken, undefined)
  assert.equal(exact.Buckets?.[0]?.BucketRegion, 'us-east-1')
  assert.equal(exact.Buckets?.[0]?.BucketArn, 'arn:aws:s3:::apple')
})

test('prefix, which is echoed', async () => {
  const answer = await client.send(new ListBucketsCommand({ Prefix: 'ap', MaxBuckets: 1 }))
  assert.deepEqual([named(answer.Buckets), answer.Prefix], [['apple'], 'ap'])
  const { ContinuationToken } = answer
  const rest = await client.send(new ListBucketsCommand({ Prefix: 'ap', ContinuationToken }))
  assert.deepEqual([named(rest.Buckets), rest.ContinuationToken], [['apricot'], undefined])
  const empty = await client.send(new ListBucketsCommand({ Prefix: 'apr', ContinuationToken: '' }))
  assert.deepEqual(named(empty.Buckets), ['apricot'])
})

test('bucket-region: all or none', async () => {
  const here = await client.send(new ListBucketsCommand({ BucketRegion: 'us-east-1' }))
  assert.deepEqual(named(here.Buckets), names)
  const elsewhere = await client.send(new ListBucketsCommand({ BucketRegion: 'eu-west-1' }))
  assert.deepEqual(named(elsewhere.Buckets), [])
})

test('bucket-region: what is none is InvalidArgument, which shows no value', async () => {
  for (const BucketRegion of ['eu-east-1', 'EU']) {
    const answer = await raw({ target: `/?bucket-region=${BucketRegion}` })
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidArgument'], BucketRegion)
    const text = answer.body
    assert.match(
      text,
      new RegExp(`<Message>Argument value ${BucketRegion} is not a valid AWS Region</Message>`),
    )
    assert.match(text, /<ArgumentName>bucket-region<\/ArgumentName><RequestId>/)
  }
})

test('bad parameters are InvalidArgument', async () => {
  for (const MaxBuckets of [0, -1, 10_001]) {
    await assert.rejects(client.send(new ListBucketsCommand({ MaxBuckets })), s3Error('InvalidArgument', 400))
  }
  for (const query of ['max-buckets=many', 'continuation-token=YXBwbGU']) {
    const { status, code } = await raw({ target: `/?${query}` })
    assert.deepEqual([status, code], [400, 'InvalidArgument'], query)
  }
})

test('anonymous requests are AccessDenied', async () => {
  const { status, code } = await raw({ target: '/', signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})
