import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { GetObjectTaggingCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

const Key = 'key'
let Bucket = ''
const get = (more: { Bucket?: string; Key?: string; VersionId?: string } = {}) =>
  client.send(new GetObjectTaggingCommand({ Bucket, Key, ...more }))

before(async () => {
  Bucket = await newBucket()
})

test('the tags of x-amz-tagging; the document is S3’s', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key, Tagging: 'b=2&a=%C3%A4' }))
  const { TagSet, VersionId } = await get()
  assert.deepEqual(TagSet, [
    { Key: 'a', Value: 'ä' },
    { Key: 'b', Value: '2' },
  ])
  assert.equal(VersionId, undefined)
  const { body } = await raw({ target: `/${Bucket}/${Key}?tagging` })
  assert.equal(
    body,
    '<?xml version="1.0" encoding="UTF-8"?>\n<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>a</Key><Value>ä</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>',
  )
})

test('an object without tags has an empty set', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'plain' }))
  assert.deepEqual((await get({ Key: 'plain' })).TagSet, [])
})

test('what is not there', async () => {
  await assert.rejects(get({ Bucket: 'not-there' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(get({ Key: 'not-there' }), s3Error('NoSuchKey', 404))
})

test('versions, the null version, delete markers', async () => {
  const Versioned = await newBucket()
  const where = { Bucket: Versioned }
  await client.send(new PutObjectCommand({ Bucket: Versioned, Key, Tagging: 'of=null' }))
  await setVersioning(client, Versioned, 'Enabled')
  const named = await get(where)
  assert.deepEqual([named.VersionId, named.TagSet], ['null', [{ Key: 'of', Value: 'null' }]])
  const version = await putVersion(client, Versioned, Key, 'untagged')
  const current = await get(where)
  assert.deepEqual([current.VersionId, current.TagSet], [version, []])
  assert.equal((await get({ ...where, VersionId: 'null' })).TagSet?.length, 1)
  const marker = await putDeleteMarker(client, Versioned, Key)
  await assert.rejects(get(where), s3Error('MethodNotAllowed', 405))
  await assert.rejects(get({ ...where, VersionId: marker }), s3Error('MethodNotAllowed', 405))
  await assert.rejects(get({ ...where, VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  await assert.rejects(get({ ...where, VersionId: 'x' }), s3Error('InvalidArgument', 400))
})
