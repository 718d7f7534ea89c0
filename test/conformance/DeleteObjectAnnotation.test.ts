import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import {
  DeleteObjectAnnotationCommand,
  ListObjectAnnotationsCommand,
  PutObjectAnnotationCommand,
  PutObjectCommand,
  type DeleteObjectAnnotationCommandInput,
} from '@aws-sdk/client-s3'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw } = await startConformance()

const Key = 'annotated'
let Bucket = ''
let ETag = ''
const remove = (AnnotationName: string, more: Partial<DeleteObjectAnnotationCommandInput> = {}) =>
  client.send(new DeleteObjectAnnotationCommand({ Bucket, Key, AnnotationName, ...more }))
const names = async (more: { Bucket?: string; VersionId?: string } = {}) => {
  const { Annotations = [] } = await client.send(new ListObjectAnnotationsCommand({ Bucket, Key, ...more }))
  return Annotations.map(({ AnnotationName }) => AnnotationName)
}
const annotate = (AnnotationName: string, more: { Bucket?: string } = {}) =>
  client.send(
    new PutObjectAnnotationCommand({ Bucket, Key, AnnotationName, AnnotationPayload: 'x', ...more }),
  )

before(async () => {
  Bucket = await newBucket()
  ETag = (await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))).ETag ?? ''
})

test('an annotation is gone for good; one that is not there is no error', async () => {
  for (const name of ['a', 'b']) await annotate(name)
  const { $metadata, ObjectVersionId } = await remove('a')
  assert.deepEqual([$metadata.httpStatusCode, ObjectVersionId], [204, undefined])
  assert.deepEqual(await names(), ['b'])
  assert.equal((await remove('a')).$metadata.httpStatusCode, 204)
  assert.equal((await remove('aws/not a name')).$metadata.httpStatusCode, 204)
  assert.deepEqual(await names(), ['b'])
})

test("a condition on the object's ETag", async () => {
  await annotate('c')
  await assert.rejects(remove('c', { ObjectIfMatch: '"0"' }), s3Error('PreconditionFailed', 412))
  assert.ok((await names()).includes('c'))
  await remove('c', { ObjectIfMatch: ETag })
  assert.ok(!(await names()).includes('c'))
})

test('of what is not there', async () => {
  await assert.rejects(remove('a', { Key: 'not-there' }), s3Error('NoSuchKey', 404))
  await assert.rejects(remove('a', { Bucket: 'no-such-bucket-here' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(remove('a', { VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  const target = `/${Bucket}/${Key}?annotation&annotationName=a`
  const anonymous = await raw({ method: 'DELETE', target, signed: false })
  assert.deepEqual([anonymous.status, anonymous.code], [403, 'AccessDenied'])
})

test('of a version, by its id', async () => {
  const where = { Bucket: await newBucket() }
  await setVersioning(client, where.Bucket, 'Enabled')
  const VersionId = await putVersion(client, where.Bucket, Key, 'one')
  for (const name of ['a', 'b']) await annotate(name, where)
  assert.equal((await remove('a', where)).ObjectVersionId, VersionId)
  const marker = await putDeleteMarker(client, where.Bucket, Key)
  await assert.rejects(remove('b', where), s3Error('NoSuchKey', 404))
  await assert.rejects(remove('b', { ...where, VersionId: marker }), s3Error('MethodNotAllowed', 405))
  assert.equal((await remove('b', { ...where, VersionId })).ObjectVersionId, VersionId)
  assert.deepEqual(await names({ ...where, VersionId }), [])
})
