import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { before, describe, test } from 'node:test'
import {
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type Tag,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

const Key = 'tagged'
let Bucket = ''
let versioned = ''
const put = (TagSet: Tag[], more: { Key?: string; Bucket?: string; VersionId?: string } = {}) =>
  client.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet }, ...more }))
const tags = async (more: { Bucket?: string; VersionId?: string } = {}) =>
  (await client.send(new GetObjectTaggingCommand({ Bucket, Key, ...more }))).TagSet

before(async () => {
  Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  versioned = await newBucket()
  await setVersioning(client, versioned, 'Enabled')
})

test('tags are replaced, come in order of their keys, and change neither the object nor its time', async () => {
  const first = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.equal(first.TagCount, undefined)
  const answer = await put([
    { Key: 'z', Value: '1' },
    { Key: 'a', Value: '' },
  ])
  assert.deepEqual([answer.$metadata.httpStatusCode, answer.VersionId], [200, undefined])
  assert.deepEqual(await tags(), [
    { Key: 'a', Value: '' },
    { Key: 'z', Value: '1' },
  ])
  await put([{ Key: 'größe 1', Value: 'x/y:z' }])
  assert.deepEqual(await tags(), [{ Key: 'größe 1', Value: 'x/y:z' }])
  const last = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.deepEqual([last.ETag, last.LastModified, last.TagCount], [first.ETag, first.LastModified, 1])
  await put([])
  assert.deepEqual(await tags(), [])
})

describe('refusals leave the tags as they are', () => {
  const many = Array.from({ length: 11 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }))
  for (const [what, set, code, message] of [
    ['eleven', many, 'BadRequest', 'Object tags cannot be greater than 10'],
    ['a key of 129', [{ Key: 'k'.repeat(129), Value: '' }], 'InvalidTag', /TagKey/],
    ['a value of 257', [{ Key: 'k', Value: 'v'.repeat(257) }], 'InvalidTag', /TagValue/],
    ['another character', [{ Key: 'k?', Value: '' }], 'InvalidTag', /TagKey/],
    ['a key of Amazon', [{ Key: 'aws:k', Value: '' }], 'InvalidTag', /prefixed with aws:/],
    ['one twice', [...many.slice(0, 1), ...many.slice(0, 1)], 'InvalidTag', /multiple Tags/],
  ] as const) {
    test(what, async () => {
      await assert.rejects(put([...set]), s3Error(code, 400, message))
      assert.deepEqual(await tags(), [])
    })
  }

  test('the document names the tag', async () => {
    const body = '<Tagging><TagSet><Tag><Key>a&amp;b</Key><Value>v</Value></Tag></TagSet></Tagging>'
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    const answer = await raw({ method: 'PUT', target: `/${Bucket}/${Key}?tagging`, headers, body })
    assert.deepEqual([answer.status, answer.code], [400, 'InvalidTag'])
    assert.match(answer.body, /<TagKey>a&amp;b<\/TagKey>/)
    const without = await raw({ method: 'PUT', target: `/${Bucket}/${Key}?tagging`, body })
    assert.deepEqual([without.status, without.code], [400, 'InvalidRequest'])
    for (const broken of ['<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>', '<x/>']) {
      const digest = { 'content-md5': createHash('md5').update(broken).digest('base64') }
      const refused = await raw({
        method: 'PUT',
        target: `/${Bucket}/${Key}?tagging`,
        headers: digest,
        body: broken,
      })
      assert.deepEqual([refused.status, refused.code], [400, 'MalformedXML'], broken)
    }
  })
})

test('a set that is left out is an empty one', async () => {
  await put([{ Key: 'k', Value: 'v' }])
  const body = '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
  assert.equal((await raw({ method: 'PUT', target: `/${Bucket}/${Key}?tagging`, headers, body })).status, 200)
  assert.deepEqual(await tags(), [])
})

test('no such bucket, no such key, nobody', async () => {
  await assert.rejects(put([], { Bucket: 'not-there' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(put([], { Key: 'not-there' }), s3Error('NoSuchKey', 404))
  const anonymous = await raw({
    method: 'PUT',
    target: `/${Bucket}/${Key}?tagging`,
    signed: false,
    body: '<x/>',
  })
  assert.equal(anonymous.status, 403)
})

test('each version has its own; a delete marker has none', async () => {
  const where = { Bucket: versioned }
  const one = await putVersion(client, versioned, Key, '1')
  const two = await putVersion(client, versioned, Key, '2')
  assert.equal((await put([{ Key: 'v', Value: '1' }], { ...where, VersionId: one })).VersionId, one)
  assert.equal((await put([{ Key: 'v', Value: '2' }], where)).VersionId, two)
  assert.deepEqual(await tags({ ...where, VersionId: one }), [{ Key: 'v', Value: '1' }])
  assert.deepEqual(await tags(where), [{ Key: 'v', Value: '2' }])
  const marker = await putDeleteMarker(client, versioned, Key)
  const refused = put([], { ...where, VersionId: marker })
  await assert.rejects(refused, s3Error('MethodNotAllowed', 405))
  await assert.rejects(put([], where), s3Error('MethodNotAllowed', 405))
  const current = await raw({ method: 'DELETE', target: `/${versioned}/${Key}?tagging` })
  assert.match(current.body, /<Method>DELETE<\/Method><ResourceType>DeleteMarker<\/ResourceType>/)
  assert.deepEqual([current.headers['x-amz-version-id'], current.headers['allow']], [marker, 'DELETE'])
  await assert.rejects(put([], { ...where, VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  const malformed = put([], { ...where, VersionId: 'abc' })
  await assert.rejects(malformed, s3Error('InvalidArgument', 400, 'Invalid version id specified'))
})
