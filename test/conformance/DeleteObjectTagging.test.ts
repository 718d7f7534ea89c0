import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { DeleteObjectTaggingCommand, GetObjectTaggingCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, setVersioning } from './versions.ts'

const { client, newBucket } = await startConformance()

const Key = 'key'
let Bucket = ''
const remove = (more: { Bucket?: string; Key?: string; VersionId?: string } = {}) =>
  client.send(new DeleteObjectTaggingCommand({ Bucket, Key, ...more }))
const tags = async (VersionId?: string) =>
  (await client.send(new GetObjectTaggingCommand({ Bucket, Key, ...(VersionId ? { VersionId } : {}) })))
    .TagSet

before(async () => {
  Bucket = await newBucket()
})

test('204, once and again', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key, Tagging: 'a=b' }))
  assert.equal((await tags())?.length, 1)
  for (let time = 0; time < 2; time++) {
    const { $metadata, VersionId } = await remove()
    assert.deepEqual([$metadata.httpStatusCode, VersionId], [204, undefined])
    assert.deepEqual(await tags(), [])
  }
})

test('what is not there', async () => {
  await assert.rejects(remove({ Bucket: 'not-there' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(remove({ Key: 'not-there' }), s3Error('NoSuchKey', 404))
})

test('of one version', async () => {
  await setVersioning(client, Bucket, 'Enabled')
  const put = async () => (await client.send(new PutObjectCommand({ Bucket, Key, Tagging: 'a=b' }))).VersionId
  const one = await put()
  const two = await put()
  assert.ok(one && two)
  assert.equal((await remove({ VersionId: one })).VersionId, one)
  assert.deepEqual([await tags(one), (await tags(two))?.length], [[], 1])
  assert.equal((await remove()).VersionId, two)
  assert.deepEqual(await tags(two), [])
  const marker = await putDeleteMarker(client, Bucket, Key)
  await assert.rejects(remove({ VersionId: marker }), s3Error('MethodNotAllowed', 405))
  await assert.rejects(remove(), s3Error('MethodNotAllowed', 405))
  await assert.rejects(remove({ VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  await assert.rejects(remove({ VersionId: '!' }), s3Error('InvalidArgument', 400))
})
