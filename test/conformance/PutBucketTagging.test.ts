import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { GetBucketTaggingCommand, PutBucketTaggingCommand, type Tag } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'

const { client, newBucket, raw } = await startConformance()

const put = (Bucket: string, TagSet: Tag[]) =>
  client.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }))

const tagsOf = async (Bucket: string) => (await client.send(new GetBucketTaggingCommand({ Bucket }))).TagSet

test('a set is kept in its order, and the next one replaces all of it', async () => {
  const Bucket = await newBucket()
  const first = [
    { Key: 'project', Value: 'übung' },
    { Key: 'a b+-=._:/@', Value: '' },
  ]
  const { $metadata } = await put(Bucket, first)
  // The schema says 200; AWS answers 204.
  assert.equal($metadata.httpStatusCode, 204)
  assert.deepEqual(await tagsOf(Bucket), first)
  await put(Bucket, [{ Key: 'only', Value: 'one' }])
  assert.deepEqual(await tagsOf(Bucket), [{ Key: 'only', Value: 'one' }])
})

test('an empty set is none', async () => {
  const Bucket = await newBucket()
  await put(Bucket, [{ Key: 'a', Value: 'b' }])
  await put(Bucket, [])
  await assert.rejects(tagsOf(Bucket), s3Error('NoSuchTagSet', 404))
})

test('fifty tags, and no more', async () => {
  const Bucket = await newBucket()
  const tags = Array.from({ length: 51 }, (_, i) => ({ Key: `key-${i}`, Value: 'v' }))
  await put(Bucket, tags.slice(0, 50))
  assert.equal((await tagsOf(Bucket))?.length, 50)
  const tooMany = s3Error('BadRequest', 400, 'Bucket tag count cannot be greater than 50')
  await assert.rejects(put(Bucket, tags), tooMany)
  assert.equal((await tagsOf(Bucket))?.length, 50)
})

test('keys and values: their lengths, their characters, their owner, each once', async () => {
  const Bucket = await newBucket()
  const key = 'The TagKey you have provided is invalid'
  const value = 'The TagValue you have provided is invalid'
  const cases: readonly (readonly [tags: Tag[], message: string])[] = [
    [[{ Key: 'k'.repeat(129), Value: '' }], key],
    [[{ Key: '', Value: 'v' }], key],
    [[{ Key: 'a,b', Value: 'v' }], key],
    [[{ Key: 'k', Value: 'v'.repeat(257) }], value],
    [[{ Key: 'k', Value: 'a?b' }], value],
    [[{ Key: 'aws:k', Value: 'v' }], 'System tags cannot be added/updated by requester'],
    [
      [
        { Key: 'k', Value: 'v' },
        { Key: 'k', Value: 'w' },
      ],
      'Cannot provide multiple Tags with the same key',
    ],
  ]
  for (const [tags, message] of cases) {
    await assert.rejects(put(Bucket, tags), s3Error('InvalidTag', 400, message))
  }
  await put(Bucket, [{ Key: 'k'.repeat(128), Value: 'v'.repeat(256) }])
})

test('documents must be whole, and come with a checksum', async () => {
  const Bucket = await newBucket()
  const send = (body: string, checked = true) =>
    raw({
      method: 'PUT',
      target: `/${Bucket}?tagging`,
      body,
      headers: checked ? { 'content-md5': createHash('md5').update(body).digest('base64') } : {},
    })
  for (const body of [
    '<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>',
    '<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>',
    '<TagSet/>',
  ]) {
    const { status, code } = await send(body)
    assert.deepEqual([status, code], [400, 'MalformedXML'], body)
  }
  // A set that is left out is an empty one.
  await put(Bucket, [{ Key: 'k', Value: 'v' }])
  assert.equal((await send('<Tagging></Tagging>')).status, 204)
  await assert.rejects(client.send(new GetBucketTaggingCommand({ Bucket })), s3Error('NoSuchTagSet', 404))
  const unchecked = await send('<Tagging><TagSet/></Tagging>', false)
  assert.deepEqual([unchecked.status, unchecked.code], [400, 'InvalidRequest'])
})

test('NoSuchBucket', async () => {
  await assert.rejects(put('not-there', []), s3Error('NoSuchBucket', 404))
  await assert.rejects(put('not-there', [{ Key: 'k', Value: 'v' }]), s3Error('NoSuchBucket', 404))
})

test('256 KiB, and no more', async () => {
  const Bucket = await newBucket()
  const tag = '<Tag><Key>k</Key><Value>v</Value></Tag>'
  const send = (bytes: number) => {
    const body = `<Tagging><TagSet>${tag}</TagSet></Tagging>`.padEnd(bytes, ' ')
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    return raw({ method: 'PUT', target: `/${Bucket}?tagging`, body, headers })
  }
  assert.equal((await send(256 * 1024)).status, 204)
  const answer = await send(256 * 1024 + 1)
  assert.deepEqual([answer.status, answer.code], [400, 'MaxMessageLengthExceeded'])
})
