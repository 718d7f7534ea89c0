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
import { s3Error, startConformance } from './harness.ts'
import { begin } from './uploads.ts'

const { client, region, address, credentials, newBucket, faults, heal, shardCount } = await startConformance()
const Bucket = await newBucket()

/** Retries as the SDK does unless it is told otherwise. */
const patient = new s3.S3Client({ region, endpoint: `http://${address}`, forcePathStyle: true, credentials })
after(() => {
  patient.destroy()
})
afterEach(heal)

/** Metadata refuses the first requests of each operation, so many as told. */
function refuseFirst(refusals: Partial<Record<MetadataOperation, number>>): void {
  const left = new Map(Object.entries(refusals))
  faults.metadata = (operation) => {
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
