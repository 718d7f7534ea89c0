import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { afterEach, before, describe, test } from 'node:test'
import {
  DeleteObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type DeleteObjectsCommandOutput,
  type ObjectIdentifier,
} from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { s3Error, startConformance, type Conformance } from './harness.ts'
import { EMPTY_ETAG, putEmpty } from './objects.ts'
import { ABSENT_VERSION, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw, metadata, faults, heal } = await startConformance()

let Bucket = ''

before(async () => {
  Bucket = await newBucket()
})

afterEach(heal)

const remove = (Objects: ObjectIdentifier[], Quiet = false): Promise<DeleteObjectsCommandOutput> =>
  client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet } }))
const left = async (): Promise<unknown[]> => {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
  return Contents.map(({ Key }) => Key)
}

/** A document of this text, with the digest that S3 demands. */
const post = (
  body: string,
  headers: Readonly<Record<string, string>> = md5Of(body),
): ReturnType<Conformance['raw']> => raw({ method: 'POST', target: `/${Bucket}?delete`, body, headers })
const md5Of = (body: string): Record<string, string> => ({
  'content-md5': createHash('md5').update(body).digest('base64'),
})
const objects = (...keys: readonly string[]): string =>
  `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`

test('governance retention of a bucket without Object Lock is not there to be bypassed', async () => {
  await putEmpty(metadata, Bucket, ['kept'])
  const Delete = { Objects: [{ Key: 'kept' }] }
  const bypassing = client.send(new DeleteObjectsCommand({ Bucket, Delete, BypassGovernanceRetention: true }))
  await assert.rejects(bypassing, s3Error('InvalidArgument', 400))
  assert.deepEqual(await left(), ['kept'])
  await remove([{ Key: 'kept' }])
})

test('deletes what is there and what is not, in the order of the request', async () => {
  await putEmpty(metadata, Bucket, ['a', 'b/ü', 'kept'])
  const { Deleted, Errors } = await remove([{ Key: 'b/ü' }, { Key: 'never' }, { Key: 'a' }])
  assert.deepEqual(Deleted, [{ Key: 'b/ü' }, { Key: 'never' }, { Key: 'a' }])
  assert.equal(Errors, undefined)
  assert.deepEqual(await left(), ['kept'])
})

test('quiet tells only of errors', async () => {
  await putEmpty(metadata, Bucket, ['quiet'])
  const { Deleted, Errors } = await remove([{ Key: 'quiet' }, { Key: 'k'.repeat(1025) }], true)
  assert.equal(Deleted, undefined)
  assert.deepEqual(Errors, [
    { Key: 'k'.repeat(1025), Code: 'KeyTooLongError', Message: 'Your key is too long' },
  ])
  assert.deepEqual(await left(), ['kept'])
})

test('names that are too long come back cut: the answer does not grow with them', async () => {
  const { Deleted, Errors = [] } = await remove([
    { Key: '"'.repeat(100_000) },
    { Key: 'kept', VersionId: '"'.repeat(100_000) },
  ])
  assert.equal(Deleted, undefined)
  assert.deepEqual(
    Errors.map(({ Key, VersionId, Code }) => [Key?.length, VersionId?.length, Code]),
    [
      [1025, undefined, 'KeyTooLongError'],
      [4, 1025, 'NoSuchVersion'],
    ],
  )
  assert.deepEqual(await left(), ['kept'])
})

test('a thousand keys', async () => {
  const keys = Array.from({ length: 1000 }, (_, index) => `many/${index}`)
  await putEmpty(metadata, Bucket, keys)
  const { Deleted } = await remove(keys.map((Key) => ({ Key })))
  assert.deepEqual(
    Deleted?.map(({ Key }) => Key),
    keys,
  )
  assert.deepEqual(await left(), ['kept'])
})

test('ETag is a condition of each key', async () => {
  await putEmpty(metadata, Bucket, ['right', 'wrong'])
  const { Deleted, Errors = [] } = await remove([
    { Key: 'right', ETag: `"${EMPTY_ETAG}"` },
    { Key: 'wrong', ETag: '"another"' },
    { Key: 'absent', ETag: '*' },
  ])
  assert.deepEqual(Deleted, [{ Key: 'right' }])
  assert.deepEqual(
    Errors.map(({ Key, Code }) => [Key, Code]),
    [
      ['wrong', 'PreconditionFailed'],
      ['absent', 'NoSuchKey'],
    ],
  )
  assert.deepEqual(await left(), ['kept', 'wrong'])
})

test('the null version is the object', async () => {
  assert.deepEqual((await remove([{ Key: 'wrong', VersionId: 'null' }])).Deleted, [
    { Key: 'wrong', VersionId: 'null' },
  ])
  assert.deepEqual(await left(), ['kept'])
})

test('a key that the cluster fails to delete has its own error, the others are deleted', async () => {
  await putEmpty(metadata, Bucket, ['one', 'two', 'three'])
  let deletes = 0
  faults.metadata = (operation) =>
    operation === 'deleteObject' && (deletes += 1) === 2
      ? new MetadataError(FailureCode.UNAVAILABLE, 'away')
      : undefined
  const { Deleted, Errors } = await remove([{ Key: 'one' }, { Key: 'two' }, { Key: 'three' }])
  assert.deepEqual(Deleted, [{ Key: 'one' }, { Key: 'three' }])
  assert.deepEqual(Errors, [
    { Key: 'two', Code: 'ServiceUnavailable', Message: 'Service is unable to handle request.' },
  ])
  heal()
  assert.deepEqual(await left(), ['kept', 'two'])
})

describe('the whole request is refused, and nothing deleted', () => {
  const kept = ['kept', 'two']

  for (const [what, body] of [
    ['more than 1,000 keys', objects(...Array.from({ length: 1001 }, (_, index) => `k${index}`), 'kept')],
    ['no keys', '<Delete></Delete>'],
    ['an empty key', objects('kept', '')],
    ['an object without a key', '<Delete><Object><Key>kept</Key></Object><Object/></Delete>'],
    ['another document', '<Remove><Object><Key>kept</Key></Object></Remove>'],
    ['a document that does not end', '<Delete><Object><Key>kept</Key></Object>'],
    ['a document type', `<!DOCTYPE Delete>${objects('kept')}`],
  ] as const) {
    test(`${what}: MalformedXML`, async () => {
      const { status, code } = await post(body)
      assert.deepEqual([status, code], [400, 'MalformedXML'])
      assert.deepEqual(await left(), kept)
    })
  }

  test('no body: MissingRequestBodyError', async () => {
    const { status, code } = await post('')
    assert.deepEqual([status, code], [400, 'MissingRequestBodyError'])
  })

  test('no digest: InvalidRequest; a wrong one: BadDigest', async () => {
    const without = await post(objects('kept'), {})
    assert.deepEqual([without.status, without.code], [400, 'InvalidRequest'])
    const wrong = await post(objects('kept'), md5Of('other'))
    assert.deepEqual([wrong.status, wrong.code], [400, 'BadDigest'])
    assert.deepEqual(await left(), kept)
  })

  test('NoSuchBucket, AccessDenied', async () => {
    const Delete = { Objects: [{ Key: 'kept' }] }
    const nowhere = client.send(new DeleteObjectsCommand({ Bucket: 'not-there', Delete }))
    await assert.rejects(nowhere, s3Error('NoSuchBucket', 404))
    const input = { Bucket, Delete, ExpectedBucketOwner: '111122223333' }
    await assert.rejects(client.send(new DeleteObjectsCommand(input)), s3Error('AccessDenied', 403))
    assert.deepEqual(await left(), kept)
  })
})

test('Size and LastModifiedTime are conditions of each key', async () => {
  await putEmpty(metadata, Bucket, ['sized', 'timed'])
  const { Deleted, Errors = [] } = await remove([
    { Key: 'sized', Size: 1 },
    { Key: 'timed', LastModifiedTime: new Date('2015-01-01') },
    { Key: 'absent', Size: 1 },
  ])
  assert.deepEqual(Deleted, [{ Key: 'absent' }])
  assert.deepEqual(
    Errors.map(({ Key, Code }) => [Key, Code]),
    [
      ['sized', 'PreconditionFailed'],
      ['timed', 'PreconditionFailed'],
    ],
  )
  assert.equal((await remove([{ Key: 'sized', Size: 0 }, { Key: 'timed' }])).Deleted?.length, 2)
})

test('versions, delete markers, and what is wrong with one of them', async () => {
  const versioned = await newBucket()
  await setVersioning(client, versioned, 'Enabled')
  const send = (...Objects: ObjectIdentifier[]) =>
    client.send(new DeleteObjectsCommand({ Bucket: versioned, Delete: { Objects } }))
  const one = await putVersion(client, versioned, 'a', '1')
  const two = await putVersion(client, versioned, 'a', '2')
  const made = await send({ Key: 'a' }, { Key: 'never was' })
  const [marker, other] = made.Deleted ?? []
  assert.deepEqual([marker?.Key, marker?.DeleteMarker, marker?.VersionId], ['a', true, undefined])
  assert.ok(marker?.DeleteMarkerVersionId && other?.DeleteMarkerVersionId)
  const markers = { a: marker.DeleteMarkerVersionId, other: other.DeleteMarkerVersionId }
  const { Deleted, Errors } = await send(
    { Key: 'a', VersionId: one },
    { Key: 'a', VersionId: markers.a },
    { Key: 'a', VersionId: ABSENT_VERSION },
    { Key: 'a', VersionId: 'abc' },
    { Key: 'a', VersionId: two, ETag: '"another"' },
  )
  assert.deepEqual(Deleted, [
    { Key: 'a', VersionId: one },
    { Key: 'a', VersionId: markers.a, DeleteMarker: true, DeleteMarkerVersionId: markers.a },
    { Key: 'a', VersionId: ABSENT_VERSION },
  ])
  assert.deepEqual(
    Errors?.map(({ Key, VersionId, Code }) => [Key, VersionId, Code]),
    [
      ['a', 'abc', 'NoSuchVersion'],
      ['a', two, 'PreconditionFailed'],
    ],
  )
  await send({ Key: 'a', VersionId: two }, { Key: 'never was', VersionId: markers.other })
  const rest = await client.send(new ListObjectVersionsCommand({ Bucket: versioned }))
  assert.deepEqual([rest.Versions, rest.DeleteMarkers], [undefined, undefined])
})
