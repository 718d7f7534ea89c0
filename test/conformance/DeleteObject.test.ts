import assert from 'node:assert/strict'
import { afterEach, before, describe, test } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw, faults, heal } = await startConformance()

const Key = 'a key'
let Bucket = ''
const put = async (): Promise<string> =>
  (await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))).ETag ?? ''
const isThere = async (): Promise<boolean> => {
  const { KeyCount } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }))
  return KeyCount === 1
}

before(async () => {
  Bucket = await newBucket()
})

afterEach(heal)

test('204 without a body, and the object is gone at once', async () => {
  await put()
  const answer = await raw({ method: 'DELETE', target: `/${Bucket}/a%20key` })
  assert.deepEqual([answer.status, answer.body, answer.headers['x-amz-delete-marker']], [204, '', undefined])
  await assert.rejects(client.send(new GetObjectCommand({ Bucket, Key })), s3Error('NoSuchKey', 404))
  assert.equal(await isThere(), false)
})

test('governance retention of a bucket without Object Lock is not there to be bypassed', async () => {
  await put()
  for (const BypassGovernanceRetention of [true, false]) {
    const bypassing = client.send(new DeleteObjectCommand({ Bucket, Key, BypassGovernanceRetention }))
    await assert.rejects(bypassing, s3Error('InvalidArgument', 400))
  }
  assert.equal(await isThere(), true)
  const headers = { 'x-amz-bypass-governance-retention': 'true' }
  const { body } = await raw({ method: 'DELETE', target: `/${Bucket}/a%20key`, headers })
  assert.match(
    body,
    /<Message>x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets\.</,
  )
  assert.match(body, /<ArgumentName>x-amz-bypass-governance-retention</)
  const absent = await raw({ method: 'DELETE', target: '/not-there-at-all/key', headers })
  assert.deepEqual([absent.status, absent.code], [404, 'NoSuchBucket'])
})

test('what is not there is deleted as well', async () => {
  const { $metadata } = await client.send(new DeleteObjectCommand({ Bucket, Key: 'never was' }))
  assert.equal($metadata.httpStatusCode, 204)
})

test('If-Match: the tag, any, another, none there', async () => {
  for (const match of [(tag: string) => tag, () => '*', (tag: string) => tag.replaceAll('"', '')]) {
    const tag = await put()
    await client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: match(tag) }))
    assert.equal(await isThere(), false)
  }
  const absent = client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: '*' }))
  await assert.rejects(absent, s3Error('NoSuchKey', 404))
  await put()
  const another = client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: '"another"' }))
  await assert.rejects(another, s3Error('PreconditionFailed', 412))
  assert.equal(await isThere(), true)
})

test('x-amz-if-match-size and -last-modified-time hold where there is nothing', async () => {
  const remove = (more: { IfMatchSize?: number; IfMatchLastModifiedTime?: Date; IfMatch?: string }) =>
    client.send(new DeleteObjectCommand({ Bucket, Key, ...more }))
  await put()
  const { LastModified } = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.ok(LastModified)
  await assert.rejects(remove({ IfMatchSize: 5 }), s3Error('PreconditionFailed', 412))
  const another = remove({ IfMatchLastModifiedTime: new Date('2015-01-01') })
  await assert.rejects(another, s3Error('PreconditionFailed', 412))
  assert.equal(await isThere(), true)
  await remove({ IfMatchSize: 4, IfMatchLastModifiedTime: LastModified })
  assert.equal(await isThere(), false)
  await remove({ IfMatchSize: 5, IfMatchLastModifiedTime: new Date('2015-01-01') })
  await assert.rejects(remove({ IfMatch: '*', IfMatchSize: 5 }), s3Error('NoSuchKey', 404))
})

describe('versions', () => {
  let versioned = ''
  const remove = async (more: { VersionId?: string; IfMatch?: string } = {}) => {
    const { DeleteMarker, VersionId } = await client.send(
      new DeleteObjectCommand({ Bucket: versioned, Key, ...more }),
    )
    return [DeleteMarker, VersionId]
  }
  const current = async () => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: versioned, Key }))
    return await Body?.transformToString()
  }

  before(async () => {
    versioned = await newBucket()
  })

  test('never enabled: the null version is the object', async () => {
    await putVersion(client, versioned, Key, 'body')
    await remove({ VersionId: 'null' })
    await assert.rejects(current(), s3Error('NoSuchKey', 404))
  })

  test('enabled: a delete marker each time; by its id a version is gone for good', async () => {
    await setVersioning(client, versioned, 'Enabled')
    const one = await putVersion(client, versioned, Key, 'one')
    const two = await putVersion(client, versioned, Key, 'two')
    const [made, first] = await remove()
    const [again, second] = await remove()
    assert.deepEqual([made, again], [true, true])
    assert.ok(typeof first === 'string' && typeof second === 'string' && first !== second)
    await assert.rejects(current(), s3Error('NoSuchKey', 404))
    assert.deepEqual(await remove({ VersionId: second }), [true, second])
    await assert.rejects(current(), s3Error('NoSuchKey', 404))
    assert.deepEqual(await remove({ VersionId: first }), [true, first])
    assert.equal(await current(), 'two')
    assert.deepEqual(await remove({ VersionId: two }), [undefined, two])
    assert.equal(await current(), 'one')
    assert.deepEqual(await remove({ VersionId: one }), [undefined, one])
    const { Versions, DeleteMarkers } = await client.send(
      new ListObjectVersionsCommand({ Bucket: versioned }),
    )
    assert.deepEqual([Versions, DeleteMarkers], [undefined, undefined])
  })

  test('a version that is not there is answered by its name', async () => {
    assert.deepEqual(await remove({ VersionId: ABSENT_VERSION }), [undefined, ABSENT_VERSION])
    await assert.rejects(remove({ VersionId: 'abc' }), s3Error('InvalidArgument', 400, /Invalid version id/))
  })

  test('what never was gets a delete marker, too', async () => {
    const marker = await putDeleteMarker(client, versioned, 'never was')
    const { DeleteMarkers } = await client.send(new ListObjectVersionsCommand({ Bucket: versioned }))
    assert.deepEqual(
      DeleteMarkers?.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
      [[marker, true]],
    )
  })

  test('conditions are of the current version, and not of one that is named', async () => {
    const one = await putVersion(client, versioned, Key, 'one')
    const named = remove({ VersionId: one, IfMatch: '*' })
    await assert.rejects(named, s3Error('NotImplemented', 501))
    await assert.rejects(remove({ IfMatch: '"another"' }), s3Error('PreconditionFailed', 412))
    assert.equal((await remove({ IfMatch: '*' }))[0], true)
    await assert.rejects(remove({ IfMatch: '*' }), s3Error('PreconditionFailed', 412))
  })

  test('suspended: the null version makes way for a delete marker, which is null', async () => {
    await setVersioning(client, versioned, 'Suspended')
    assert.equal(await putVersion(client, versioned, Key, 'null'), 'null')
    assert.deepEqual(await remove(), [true, 'null'])
    assert.deepEqual(await remove({ VersionId: 'null' }), [true, 'null'])
  })
})

test('NoSuchBucket, AccessDenied', async () => {
  const nowhere = client.send(new DeleteObjectCommand({ Bucket: 'not-there', Key }))
  await assert.rejects(nowhere, s3Error('NoSuchBucket', 404))
  await put()
  const denied = client.send(new DeleteObjectCommand({ Bucket, Key, ExpectedBucketOwner: '111122223333' }))
  await assert.rejects(denied, s3Error('AccessDenied', 403))
  assert.equal((await raw({ method: 'DELETE', target: `/${Bucket}/a%20key`, signed: false })).status, 403)
  await client.send(new HeadObjectCommand({ Bucket, Key }))
})

test('metadata out of reach is a 503 that clients retry', async () => {
  faults.metadata = () => new MetadataError(FailureCode.UNAVAILABLE, 'secret address of metadata')
  const sent = client.send(new DeleteObjectCommand({ Bucket, Key }))
  await assert.rejects(sent, s3Error('ServiceUnavailable', 503, 'Service is unable to handle request.'))
})
