import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import {
  GetObjectAnnotationCommand,
  ListObjectAnnotationsCommand,
  PutObjectAnnotationCommand,
  PutObjectCommand,
  type GetObjectAnnotationCommandInput,
} from '@aws-sdk/client-s3'
import { toBase64 } from '../../core/checksum/base64.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { md5Hex } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, newBucket, raw, faults, heal } = await startConformance()

const Key = 'folder/annotated'
const AnnotationName = 'notes'
const text = 'line one\nline two\n'
let Bucket = ''
const get = (more: Partial<GetObjectAnnotationCommandInput> = {}) =>
  client.send(new GetObjectAnnotationCommand({ Bucket, Key, AnnotationName, ...more }))

before(async () => {
  Bucket = await newBucket()
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  await client.send(
    new PutObjectAnnotationCommand({
      Bucket,
      Key,
      AnnotationName,
      AnnotationPayload: text,
      ChecksumAlgorithm: 'SHA256',
    }),
  )
})

test('the text comes with its length, ETag and time, and with its checksum where that is asked for', async () => {
  const started = Date.now()
  const answer = await get({ ChecksumMode: 'ENABLED' })
  assert.equal(await answer.AnnotationPayload?.transformToString(), text)
  assert.equal(answer.ContentLength, text.length)
  assert.equal(answer.ETag, `"${md5Hex(text)}"`)
  assert.equal(answer.ChecksumSHA256, toBase64(checksumOf('SHA256', Buffer.from(text))))
  assert.equal(answer.ChecksumType, 'FULL_OBJECT')
  assert.equal(answer.ObjectVersionId, undefined)
  assert.ok(Math.abs((answer.LastModified?.getTime() ?? 0) - started) < 60_000)
  const target = `/${Bucket}/${Key}?annotation&annotationName=${AnnotationName}`
  const { status, body, headers } = await raw({ target })
  assert.deepEqual([status, body, headers['x-amz-checksum-sha256']], [200, text, undefined])
})

test('what is not there', async () => {
  await assert.rejects(get({ AnnotationName: 'other' }), s3Error('NoSuchAnnotation', 404))
  // No such name can have been given.
  await assert.rejects(get({ AnnotationName: 'aws/x' }), s3Error('NoSuchAnnotation', 404))
  await assert.rejects(get({ Key: 'not-there' }), s3Error('NoSuchKey', 404))
  await assert.rejects(get({ Bucket: 'no-such-bucket-here' }), s3Error('NoSuchBucket', 404))
  await assert.rejects(get({ VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
  await assert.rejects(get({ VersionId: 'short' }), s3Error('InvalidArgument', 400))
})

test('nobody reads an annotation unsigned', async () => {
  const target = `/${Bucket}/${Key}?annotation&annotationName=${AnnotationName}`
  const { status, code } = await raw({ target, signed: false })
  assert.deepEqual([status, code], [403, 'AccessDenied'])
})

test('of a version, by its id; a delete marker has none', async () => {
  const where = { Bucket: await newBucket() }
  await setVersioning(client, where.Bucket, 'Enabled')
  const VersionId = await putVersion(client, where.Bucket, Key, 'one')
  const annotation = { ...where, Key, AnnotationName, AnnotationPayload: text }
  await client.send(new PutObjectAnnotationCommand(annotation))
  assert.equal((await get(where)).ObjectVersionId, VersionId)
  const marker = await putDeleteMarker(client, where.Bucket, Key)
  await assert.rejects(get(where), s3Error('NoSuchKey', 404))
  await assert.rejects(get({ ...where, VersionId: marker }), s3Error('MethodNotAllowed', 405))
  const answer = await get({ ...where, VersionId })
  assert.deepEqual(
    [answer.ObjectVersionId, await answer.AnnotationPayload?.transformToString()],
    [VersionId, text],
  )
})

test('an object that comes in between is not read in the place of the one that the sender was judged by', async () => {
  const replaced = { Bucket, Key: 'replaced' }
  await client.send(new PutObjectCommand({ ...replaced, Body: 'first' }))
  const note = { ...replaced, AnnotationName, AnnotationPayload: text }
  await client.send(new PutObjectAnnotationCommand(note))
  const replace = async () => {
    await client.send(new PutObjectCommand({ ...replaced, Body: 'second' }))
    await client.send(new PutObjectAnnotationCommand({ ...note, AnnotationPayload: 'secret' }))
  }
  const reads = {
    getAnnotation: () => get({ Key: 'replaced' }),
    listAnnotations: () => client.send(new ListObjectAnnotationsCommand(replaced)),
  }
  for (const [operation, read] of Object.entries(reads)) {
    faults.metadata = async (asked) => {
      if (asked !== operation) return undefined
      heal()
      await replace()
      return undefined
    }
    await assert.rejects(read(), s3Error('ServiceUnavailable', 503))
    await read()
  }
})
