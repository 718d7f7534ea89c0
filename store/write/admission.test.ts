import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ADMISSION_ASK_BYTES,
  ADMISSION_REFUSED_BUCKETS_MAX,
  ADMISSION_REFUSED_MS,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Content } from '../api.ts'
import { bytesOf, contentOf, createHarness, type Harness, putRequest } from '../testing/harness.ts'
import { WriteAdmission } from './admission.ts'

const isSlowDown = (error: unknown): boolean =>
  error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN

const LARGE = bytesOf(ADMISSION_ASK_BYTES + 1)
const SMALL = bytesOf(ADMISSION_ASK_BYTES)

/** A content that says when its first byte is asked for. */
function watched(bytes: Uint8Array): { content: Content; isRead: () => boolean } {
  let read = false
  const content = contentOf(bytes)
  async function* source(): AsyncGenerator<Uint8Array> {
    read = true
    yield* content.bytes
  }
  return { content: { ...content, bytes: source() }, isRead: () => read }
}

const asks = ({ metadata }: Harness): number =>
  metadata.asked.filter((operation) => operation === 'admitWrite').length

test('large objects, parts and annotations ask first, and their commits say so; small and empty ones do not', async () => {
  const harness = createHarness()
  const { store, clock, metadata } = harness
  const object = await harness.put('small', SMALL)
  await harness.put('empty', new Uint8Array(0))
  assert.equal(asks(harness), 0)
  await harness.put('large', LARGE)
  const part = {
    bucket: 'bucket',
    key: 'k',
    uploadId: '0'.repeat(32),
    partNumber: 1,
    storageClass: 'STANDARD',
  }
  await clock.drive(store.putPart({ ...part, content: contentOf(LARGE) }))
  await clock.drive(store.putAnnotation({ object, name: 'notes', content: contentOf(LARGE) }))
  assert.deepEqual(metadata.admissions, [0n, 0n, 1n, 2n, 3n])
  await store.close()
})

test('what is refused when it asks reads nothing and leaves nothing', async () => {
  const harness = createHarness()
  const { store, clock, metadata, shards } = harness
  metadata.admissionFault = FailureCode.SLOW_DOWN
  const { content, isRead } = watched(LARGE)
  await assert.rejects(clock.drive(store.putObject(putRequest('large', content))), isSlowDown)
  assert.equal(isRead(), false)
  await harness.assertIdle()
  assert.deepEqual([shards.shardCount, metadata.objects.size], [0, 0])
  await store.close()
})

test('after a refusal small writes of the bucket ask, too, until there was none for a while', async () => {
  const harness = createHarness()
  const { store, clock, metadata, shards } = harness
  metadata.commitFault = { kind: 'refuse', code: FailureCode.SLOW_DOWN }
  await assert.rejects(harness.put('first', SMALL), isSlowDown)
  metadata.admissionFault = FailureCode.SLOW_DOWN
  await clock.pass(ADMISSION_REFUSED_MS - 10)
  const { content, isRead } = watched(SMALL)
  await assert.rejects(clock.drive(store.putObject(putRequest('second', content))), isSlowDown)
  assert.deepEqual([asks(harness), isRead()], [1, false])
  // Of another bucket nothing was refused.
  metadata.commitFault = undefined
  const other = { ...putRequest('other', contentOf(SMALL)), bucket: 'other' }
  await clock.drive(store.putObject(other))
  assert.equal(asks(harness), 1)
  // The refusal that was an answer to a question counts like any other.
  await clock.pass(ADMISSION_REFUSED_MS - 10)
  metadata.admissionFault = undefined
  await harness.put('third', SMALL)
  assert.equal(asks(harness), 2)
  await clock.pass(ADMISSION_REFUSED_MS)
  await harness.put('fourth', SMALL)
  assert.equal(asks(harness), 2)
  assert.ok(shards.shardCount > 0)
  await store.close()
})

test('metadata of an earlier release does not know the question: the write goes on, and its commit decides', async () => {
  const harness = createHarness()
  harness.metadata.admissionFault = FailureCode.INVALID_REQUEST
  await harness.put('large', LARGE)
  assert.deepEqual([asks(harness), harness.metadata.admissions], [1, [0n]])
  await harness.store.close()
})

test('what is remembered of buckets is bounded', async () => {
  const { metadata, clock, store } = createHarness()
  const admission = new WriteAdmission(metadata, clock)
  const bucketOf = (index: number): string => `bucket-${index}`
  for (let index = 0; index <= ADMISSION_REFUSED_BUCKETS_MAX; index++) admission.refused(bucketOf(index))
  const askOf = (index: number) => admission.ask({ bucket: bucketOf(index), key: 'k' }, 1)
  assert.deepEqual([await askOf(0), await askOf(1)], [0n, 1n])
  await store.close()
})
