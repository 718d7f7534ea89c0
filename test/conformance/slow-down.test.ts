/**
 * Metadata that refuses for overload: 503 SlowDown, which the SDKs of AWS know as throttling and try again after a pause.
 * S3 API Reference, "Error responses": SlowDown, "Please reduce your request rate."
 */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { after, afterEach, test } from 'node:test'
import * as s3 from '@aws-sdk/client-s3'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataOperation } from '../../proto/metadata-api.ts'
import { ADMISSION_ASK_BYTES } from '../../core/limits.ts'
import { patternOf } from './bodies.ts'
import { s3Error, startConformance } from './harness.ts'
import { answerOf, continued, openRequest } from './raw-socket.ts'
import { bare, begin, complete, upload } from './uploads.ts'

const { client, clientOf, region, address, credentials, newBucket, faults, heal, shardCount } =
  await startConformance()
const Bucket = await newBucket()

/** Retries as the SDK does unless it is told otherwise. */
const patient = new s3.S3Client({ region, endpoint: `http://${address}`, forcePathStyle: true, credentials })
after(() => {
  patient.destroy()
})
afterEach(heal)

/** What the gateway has asked of metadata since {@link refuseFirst}. */
const asked: MetadataOperation[] = []

/** Metadata refuses the first requests of each operation, so many as told. */
function refuseFirst(refusals: Partial<Record<MetadataOperation, number>>): void {
  const left = new Map(Object.entries(refusals))
  asked.length = 0
  faults.metadata = (operation) => {
    asked.push(operation)
    const count = left.get(operation) ?? 0
    if (count === 0) return undefined
    left.set(operation, count - 1)
    return new MetadataError(FailureCode.SLOW_DOWN, 'internal detail')
  }
}

test('a write refused for overload is 503 SlowDown; it has not taken place, and leaves nothing behind', async () => {
  refuseFirst({ commitObject: 1 })
  const Key = 'refused'
  await assert.rejects(
    client.send(new s3.PutObjectCommand({ Bucket, Key, Body: new Uint8Array(100_000) })),
    s3Error('SlowDown', 503, 'Please reduce your request rate.'),
  )
  await assert.rejects(
    client.send(new s3.HeadObjectCommand({ Bucket, Key })),
    (error) => error instanceof s3.NotFound,
  )
  // Its shards are removed at once, in the background.
  while ((await shardCount()) > 0) await setTimeout(1)
})

test('the SDK tries again, and succeeds: writes, reads, listings and uploads', async () => {
  const Key = 'patient'
  refuseFirst({ commitObject: 2, getObject: 1, listObjects: 1, commitPart: 1, completeUpload: 1 })
  const put = await patient.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'body' }))
  assert.equal(put.$metadata.attempts, 3)
  const place = await begin(client, Bucket, 'parts')
  const [got, listed, part] = await Promise.all([
    patient.send(new s3.GetObjectCommand({ Bucket, Key })),
    patient.send(new s3.ListObjectsV2Command({ Bucket, Prefix: Key })),
    patient.send(new s3.UploadPartCommand({ ...place, PartNumber: 1, Body: 'part' })),
  ])
  assert.deepEqual([got.$metadata.attempts, await got.Body?.transformToString()], [2, 'body'])
  assert.deepEqual([listed.$metadata.attempts, listed.KeyCount], [2, 1])
  assert.equal(part.$metadata.attempts, 2)
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] }
  const completed = await patient.send(new s3.CompleteMultipartUploadCommand({ ...place, MultipartUpload }))
  assert.equal(completed.$metadata.attempts, 2)
})

/** More than what is written unasked, and than the drained rest of a request that was refused. */
const LARGE = patternOf(6 * 1024 * 1024)
const ALWAYS = Number.POSITIVE_INFINITY

/** Sends the head of a write of `LARGE` and waits for `100 Continue` before the rest, as SDKs do. */
const open = (target: string, headers: Readonly<Record<string, string>> = {}, secret = credentials) =>
  openRequest(
    { address, region, credentials: secret },
    {
      method: 'PUT',
      target,
      headers: {
        expect: '100-continue',
        'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        'content-length': String(LARGE.byteLength),
        ...headers,
      },
    },
  )

test('a large write is refused before its body is sent: objects and parts; no shard was written', async () => {
  const { UploadId } = await begin(client, Bucket, 'large-parts')
  const before = await shardCount()
  refuseFirst({ admitWrite: ALWAYS })
  for (const target of ['large', `large-parts?partNumber=1&uploadId=${UploadId}`]) {
    const socket = await open(`/${Bucket}/${target}`)
    assert.deepEqual(await answerOf(socket), { status: 503, code: 'SlowDown' })
  }
  assert.equal(asked.filter((operation) => operation === 'admitWrite').length, 2)
  assert.ok(!asked.includes('commitObject') && !asked.includes('commitPart'))
  assert.equal(await shardCount(), before)
  heal()
  const socket = await open(`/${Bucket}/large`)
  await continued(socket)
  socket.write(LARGE)
  assert.deepEqual(await answerOf(socket), { status: 200, code: undefined })
})

test('nor is a body read that was sent without waiting, beyond what keeps the connection', async () => {
  const before = await shardCount()
  refuseFirst({ admitWrite: ALWAYS })
  await assert.rejects(
    client.send(new s3.PutObjectCommand({ Bucket, Key: 'unasked', Body: LARGE.subarray(0, 1024 * 1024) })),
    s3Error('SlowDown', 503),
  )
  assert.equal(await shardCount(), before)
})

test('a large copy is refused before anything of its source is read', async () => {
  await client.send(new s3.PutObjectCommand({ Bucket, Key: 'source', Body: LARGE }))
  const place = await begin(client, Bucket, 'copied-parts')
  const before = await shardCount()
  refuseFirst({ admitWrite: ALWAYS })
  const CopySource = `${Bucket}/source`
  await assert.rejects(
    client.send(new s3.CopyObjectCommand({ Bucket, Key: 'copy', CopySource })),
    s3Error('SlowDown', 503),
  )
  await assert.rejects(
    client.send(new s3.UploadPartCopyCommand({ ...place, PartNumber: 1, CopySource })),
    s3Error('SlowDown', 503),
  )
  assert.equal(await shardCount(), before)
})

test('the SDK waits and sends the body once it may', async () => {
  refuseFirst({ admitWrite: 2 })
  const put = await patient.send(new s3.PutObjectCommand({ Bucket, Key: 'in-the-end', Body: LARGE }))
  assert.equal(put.$metadata.attempts, 3)
  refuseFirst({ admitWrite: 1 })
  const place = await begin(client, Bucket, 'in-the-end-parts')
  const part = await upload(patient, place, 1, LARGE)
  await complete(client, place, [bare(part)])
  for (const Key of ['in-the-end', 'in-the-end-parts']) {
    const { Body } = await client.send(new s3.GetObjectCommand({ Bucket, Key }))
    assert.ok(LARGE.equals((await Body?.transformToByteArray()) ?? new Uint8Array(0)))
  }
})

test('who may not write, or writes to what is not there, learns that and not how busy it is', async () => {
  refuseFirst({ admitWrite: ALWAYS })
  const stranger = { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'nobody/secret' }
  const answers = [
    await open(`/${Bucket}/large`, {}, stranger),
    await open('/no-such-bucket/large'),
    await open(`/${Bucket}/none`, { 'if-match': '"0"' }),
  ].map(answerOf)
  const codes = (await Promise.all(answers)).map(({ code }) => code)
  assert.deepEqual(codes, ['InvalidAccessKeyId', 'NoSuchBucket', 'NoSuchKey'])
  await assert.rejects(
    clientOf(undefined).send(
      new s3.PutObjectCommand({ Bucket, Key: 'anonymous', Body: LARGE.subarray(0, 1e6) }),
    ),
    s3Error('AccessDenied', 403),
  )
  assert.ok(!asked.includes('admitWrite'))
})

test('a small write asks nothing beforehand', async () => {
  const Fresh = await newBucket()
  refuseFirst({ admitWrite: ALWAYS })
  const Body = LARGE.subarray(0, ADMISSION_ASK_BYTES)
  await client.send(new s3.PutObjectCommand({ Bucket: Fresh, Key: 'small', Body }))
  assert.ok(!asked.includes('admitWrite'))
})
