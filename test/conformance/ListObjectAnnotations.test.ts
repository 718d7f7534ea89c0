import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import {
  ListObjectAnnotationsCommand,
  PutObjectAnnotationCommand,
  PutObjectCommand,
  type ListObjectAnnotationsCommandInput,
} from '@aws-sdk/client-s3'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { md5Hex } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

const Key = 'annotated'
// In UTF-16 the last two would sort the other way round.
const all = ['a', 'a.b', 'a.c', 'b', 'é', '\ufb01', '\u{20000}'].sort(compareUtf8)
let Bucket = ''
const list = (more: Partial<ListObjectAnnotationsCommandInput> = {}) =>
  client.send(new ListObjectAnnotationsCommand({ Bucket, Key, ...more }))
const annotate = (AnnotationName: string, more: { Bucket?: string; VersionId?: string } = {}) =>
  client.send(
    new PutObjectAnnotationCommand({
      Bucket,
      Key,
      AnnotationName,
      AnnotationPayload: AnnotationName,
      ...more,
    }),
  )
const names = async (more: Partial<ListObjectAnnotationsCommandInput> = {}) =>
  (await list(more)).Annotations?.map(({ AnnotationName }) => AnnotationName) ?? []

before(async () => {
  Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  for (const name of all.toReversed()) await annotate(name)
})

test('each with its size, ETag, time and algorithm, in order of name', async () => {
  const { Annotations = [], $metadata: _, ...answer } = await list()
  assert.deepEqual(answer, { Bucket, Key, MaxAnnotationResults: 1000, AnnotationCount: all.length })
  assert.deepEqual(
    Annotations.map(({ LastModified, ...entry }) => {
      assert.ok(LastModified instanceof Date)
      return entry
    }),
    all.map((name) => ({
      AnnotationName: name,
      ETag: `"${md5Hex(name)}"`,
      ChecksumAlgorithm: ['CRC32'],
      Size: Buffer.byteLength(name),
    })),
  )
})

test('by prefix', async () => {
  assert.equal((await list({ AnnotationPrefix: 'a.' })).AnnotationPrefix, 'a.')
  assert.deepEqual(await names({ AnnotationPrefix: 'a.' }), ['a.b', 'a.c'])
  assert.deepEqual(await names({ AnnotationPrefix: 'é' }), ['é'])
  assert.deepEqual(await names({ AnnotationPrefix: 'c' }), [])
  assert.deepEqual(await names({ AnnotationPrefix: '' }), all)
  for (const AnnotationPrefix of ['a/', 'n'.repeat(513)]) {
    await assert.rejects(list({ AnnotationPrefix }), s3Error('InvalidPrefix', 400))
  }
})

test('pages put together are the whole list, whatever their size', async () => {
  for (const AnnotationPrefix of [undefined, 'a']) {
    const wanted = all.filter((name) => name.startsWith(AnnotationPrefix ?? ''))
    for (const MaxAnnotationResults of [1, 2, wanted.length, 5000]) {
      const found: (string | undefined)[] = []
      const page = { ...(AnnotationPrefix === undefined ? {} : { AnnotationPrefix }), MaxAnnotationResults }
      let ContinuationToken: string | undefined
      do {
        const answer = await list(ContinuationToken === undefined ? page : { ...page, ContinuationToken })
        assert.equal(answer.ContinuationToken, ContinuationToken)
        assert.equal(answer.AnnotationCount, answer.Annotations?.length)
        assert.equal(answer.MaxAnnotationResults, Math.min(MaxAnnotationResults, 1000))
        found.push(...(answer.Annotations ?? []).map(({ AnnotationName }) => AnnotationName))
        ContinuationToken = answer.NextContinuationToken
      } while (ContinuationToken !== undefined)
      assert.deepEqual(found, wanted)
    }
  }
  assert.equal((await list({ MaxAnnotationResults: 0 })).NextContinuationToken, undefined)
})

test('refusals', async () => {
  await assert.rejects(list({ MaxAnnotationResults: -1 }), s3Error('InvalidArgument', 400))
  await assert.rejects(list({ ContinuationToken: 'made-up' }), s3Error('InvalidArgument', 400))
  await assert.rejects(list({ Key: 'not-there' }), s3Error('NoSuchKey', 404))
  await assert.rejects(list({ Bucket: 'no-such-bucket-here' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(list({ VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  const anonymous = await raw({ target: `/${Bucket}/${Key}?annotation`, signed: false })
  assert.deepEqual([anonymous.status, anonymous.code], [403, 'AccessDenied'])
})

test('of one version', async () => {
  const where = { Bucket: await newBucket() }
  await setVersioning(client, where.Bucket, 'Enabled')
  const first = await putVersion(client, where.Bucket, Key, 'one')
  await annotate('of-one', where)
  const second = await putVersion(client, where.Bucket, Key, 'two')
  assert.deepEqual(await names(where), [])
  assert.equal((await list(where)).ObjectVersionId, second)
  assert.deepEqual(await names({ ...where, VersionId: first }), ['of-one'])
  const marker = await putDeleteMarker(client, where.Bucket, Key)
  await assert.rejects(list(where), s3Error('NoSuchKey', 404))
  await assert.rejects(list({ ...where, VersionId: marker }), s3Error('MethodNotAllowed', 405))
})
