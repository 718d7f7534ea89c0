import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import {
  DeleteObjectCommand,
  GetObjectAnnotationCommand,
  HeadObjectCommand,
  ListObjectAnnotationsCommand,
  PutObjectAnnotationCommand,
  PutObjectCommand,
  type PutObjectAnnotationCommandInput,
} from '@aws-sdk/client-s3'
import { checksumAlgorithms, checksumTraits } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { checksumOf } from '../../runtime/crypto/checksum.ts'
import { identifierOf } from '../contract/metadata-requests.ts'
import { md5Hex } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { ABSENT_VERSION, putDeleteMarker, putVersion, setVersioning } from './versions.ts'

const { client, metadata, newBucket, raw, shardCount } = await startConformance()

const Key = 'annotated'
let Bucket = ''
let versioned = ''
const put = (more: Partial<PutObjectAnnotationCommandInput> = {}) =>
  client.send(
    new PutObjectAnnotationCommand({
      Bucket,
      Key,
      AnnotationName: 'ml.label',
      AnnotationPayload: 'a cat',
      ...more,
    }),
  )
const payload = async (AnnotationName: string, more: { VersionId?: string; Bucket?: string } = {}) => {
  const answer = await client.send(new GetObjectAnnotationCommand({ Bucket, Key, AnnotationName, ...more }))
  return await answer.AnnotationPayload?.transformToString()
}
const newId = (index: number) => identifierOf(Date.now(), index)
const names = async () => {
  const { Annotations = [] } = await client.send(new ListObjectAnnotationsCommand({ Bucket, Key }))
  return Annotations.map(({ AnnotationName }) => AnnotationName)
}

before(async () => {
  Bucket = await newBucket()
  versioned = await newBucket()
  await setVersioning(client, versioned, 'Enabled')
})

test('an annotation is put and replaced, and changes neither the object nor its time', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  const unchanged = await client.send(new HeadObjectCommand({ Bucket, Key }))
  const { $metadata, ...first } = await put()
  assert.equal($metadata.httpStatusCode, 200)
  assert.deepEqual(first, {
    Key,
    AnnotationName: 'ml.label',
    ETag: `"${md5Hex('a cat')}"`,
    ChecksumCRC32: toBase64(checksumOf('CRC32', Buffer.from('a cat'))),
    ChecksumType: 'FULL_OBJECT',
  })
  assert.equal(await payload('ml.label'), 'a cat')
  await put({ AnnotationPayload: 'two cats' })
  assert.equal(await payload('ml.label'), 'two cats')
  assert.deepEqual(await names(), ['ml.label'])
  const after = await client.send(new HeadObjectCommand({ Bucket, Key }))
  assert.deepEqual([after.ETag, after.LastModified], [unchanged.ETag, unchanged.LastModified])
})

test('of one byte to one MiB of UTF-8, in any script', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  for (const AnnotationPayload of ['x', 'größe \u{1F600} 猫', '\ufeffwith a mark', 'é'.repeat(512 * 1024)]) {
    await put({ AnnotationPayload })
    assert.ok((await payload('ml.label')) === AnnotationPayload)
  }
})

test('an object that is overwritten or deleted loses its annotations', async () => {
  await put()
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  assert.deepEqual(await names(), [])
  await put()
  await client.send(new DeleteObjectCommand({ Bucket, Key }))
  await assert.rejects(names(), s3Error('NoSuchKey', 404))
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  assert.deepEqual(await names(), [])
})

test('names of letters and digits of any script, and _.-', async () => {
  for (const AnnotationName of ['a', '0', '_', '.-', 'größe', '猫', 'n'.repeat(512), 'as3', 'xaws']) {
    assert.equal((await put({ AnnotationName })).AnnotationName, AnnotationName)
    assert.equal(await payload(AnnotationName), 'a cat')
  }
})

describe('every checksum is confirmed, kept and answered', () => {
  const bytes = Buffer.from('checked')
  for (const algorithm of checksumAlgorithms) {
    const { header } = checksumTraits[algorithm]
    const target = () => `/${Bucket}/${Key}?annotation&annotationName=sum-${algorithm}`
    test(algorithm, async () => {
      const value = toBase64(checksumOf(algorithm, bytes))
      const answer = await raw({ method: 'PUT', target: target(), headers: { [header]: value }, body: bytes })
      assert.deepEqual([answer.status, answer.headers[header]], [200, value])
      const wrong = toBase64(checksumOf(algorithm, Buffer.from('other')))
      const refused = await raw({ method: 'PUT', target: target(), headers: { [header]: wrong }, body: 'no' })
      assert.deepEqual([refused.status, refused.code], [400, 'BadDigest'])
      // The SDK has no code for some of them, and refuses to read what it cannot check.
      assert.equal((await raw({ target: target() })).body, 'checked')
    })
  }

  test('CRC64NVME where none is declared', async () => {
    const target = `/${Bucket}/${Key}?annotation&annotationName=plain`
    const { headers } = await raw({ method: 'PUT', target, body: bytes })
    assert.equal(headers['x-amz-checksum-crc64nvme'], toBase64(checksumOf('CRC64NVME', bytes)))
  })
})

describe('refusals leave nothing behind', () => {
  test('by name, payload and condition', async () => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
    const shards = await shardCount()
    const target = (name: string) => `/${Bucket}/${Key}?annotation&annotationName=${name}`
    for (const [request, code, status] of [
      [{ target: target('n'.repeat(513)) }, 'AnnotationNameTooLong', 400],
      [{ target: target('%C3%A9'.repeat(257)) }, 'AnnotationNameTooLong', 400],
      [{ target: target('') }, 'InvalidAnnotationName', 400],
      [{ target: target('a%2Fb') }, 'InvalidAnnotationName', 400],
      [{ target: target('a%20b') }, 'InvalidAnnotationName', 400],
      [{ target: target('aws.x') }, 'InvalidAnnotationName', 400],
      [{ target: target('S3') }, 'InvalidAnnotationName', 400],
      [{ target: target('a'), body: '' }, 'InvalidRequest', 400],
      [{ target: target('a'), body: Buffer.alloc(1_048_577, 97) }, 'EntityTooLarge', 400],
      [{ target: target('a'), body: Buffer.of(0xc3, 0x28) }, 'UnsupportedMediaType', 415],
      [{ target: target('a'), body: Buffer.from('é').subarray(0, 1) }, 'UnsupportedMediaType', 415],
      [{ target: target('a'), headers: { 'x-amz-object-if-match': '"0"' } }, 'PreconditionFailed', 412],
      [{ target: target('a'), headers: { 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' } }, 'BadDigest', 400],
    ] as const) {
      const answer = await raw({ method: 'PUT', body: 'text', ...request })
      assert.deepEqual([answer.status, answer.code], [status, code], request.target.slice(0, 80))
    }
    const noName = await raw({ method: 'PUT', target: `/${Bucket}/${Key}?annotation`, body: 'text' })
    assert.equal(noName.status, 400)
    assert.deepEqual(await names(), [])
    // What was written of a refused one is removed in the background.
    while ((await shardCount()) !== shards) await systemClock.sleep(5)
  })

  test('of what is not there', async () => {
    await assert.rejects(put({ Key: 'not-there' }), s3Error('NoSuchKey', 404))
    await assert.rejects(put({ Bucket: 'no-such-bucket-here' }), s3Error('NoSuchBucket', 404))
    await assert.rejects(put({ VersionId: ABSENT_VERSION }), s3Error('NoSuchVersion', 404))
    await assert.rejects(put({ VersionId: 'short' }), s3Error('InvalidArgument', 400))
  })

  test('the thousand and first', async () => {
    const one = { Bucket, Key: 'full' }
    await client.send(new PutObjectCommand({ ...one, Body: 'body' }))
    const { object } = await metadata.call('getObject', { bucket: Bucket, key: one.Key })
    const version = object?.version ?? ''
    // All but the last straight into metadata, which is where the limit is kept.
    const blob = { size: 1n, code: 'replica-3', group: 65_536 }
    await Promise.all(
      Array.from({ length: 999 }, (_, index) => {
        const annotation = { name: `n${index}`, size: 1n, blob: { ...blob, id: newId(index) } }
        return metadata.call('putAnnotation', { bucket: Bucket, key: one.Key, version, annotation })
      }),
    )
    await put({ ...one, AnnotationName: 'n999' })
    await assert.rejects(put({ ...one, AnnotationName: 'more' }), s3Error('AnnotationLimitExceeded', 400))
    await put({ ...one, AnnotationName: 'n999', AnnotationPayload: 'replaced' })
  })
})

test('the condition on the object holds with its ETag, quoted or not, and with *', async () => {
  const { ETag = '' } = await client.send(new PutObjectCommand({ Bucket, Key, Body: 'body' }))
  for (const ObjectIfMatch of [ETag, ETag.replaceAll('"', ''), '*']) await put({ ObjectIfMatch })
})

test('an annotation belongs to one version, by its id or the current one', async () => {
  const where = { Bucket: versioned }
  const first = await putVersion(client, versioned, Key, 'one')
  const answer = await put({ ...where, AnnotationPayload: 'of one' })
  assert.equal(answer.ObjectVersionId, first)
  const second = await putVersion(client, versioned, Key, 'two')
  await assert.rejects(payload('ml.label', where), s3Error('NoSuchAnnotation', 404))
  await put({ ...where, VersionId: first, AnnotationName: 'late', AnnotationPayload: 'of one, too' })
  await put({ ...where, AnnotationPayload: 'of two' })
  const marker = await putDeleteMarker(client, versioned, Key)
  await assert.rejects(put(where), s3Error('NoSuchKey', 404))
  await assert.rejects(put({ ...where, VersionId: marker }), s3Error('MethodNotAllowed', 405))
  assert.equal(await payload('ml.label', { ...where, VersionId: first }), 'of one')
  assert.equal(await payload('late', { ...where, VersionId: first }), 'of one, too')
  assert.equal(await payload('ml.label', { ...where, VersionId: second }), 'of two')
})
