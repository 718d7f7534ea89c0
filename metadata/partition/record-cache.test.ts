import assert from 'node:assert/strict'
import test from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { BucketRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { NewerFormatError } from '../../core/records/format.ts'
import { bucketKind } from '../records.ts'
import { RecordCache } from './record-cache.ts'

function bucket(owner: string, format = 1): Uint8Array {
  return toBinary(BucketRecordSchema, create(BucketRecordSchema, { format, owner }))
}

test('one read of the engine serves all who ask, and later ones', async () => {
  const cache = new RecordCache()
  let reads = 0
  const load = async () => {
    reads++
    return bucket('a')
  }
  const values = await Promise.all([cache.get('k', load), cache.get('k', load)])
  for (const value of [...values, await cache.get('k', load)]) {
    assert.equal(value.record(bucketKind)?.owner, 'a')
  }
  assert.equal(reads, 1)
})

test('a value read before a write was published never replaces it', async () => {
  const cache = new RecordCache()
  const gate = Promise.withResolvers<Uint8Array>()
  const early = cache.get('k', () => gate.promise)
  cache.publish('k', bucket('new'))
  gate.resolve(bucket('old'))
  assert.equal((await early).record(bucketKind)?.owner, 'old')
  const now = await cache.get('k', () => assert.fail('it is in the cache'))
  assert.equal(now.record(bucketKind)?.owner, 'new')
})

test('a read that failed is tried again', async () => {
  const cache = new RecordCache()
  await assert.rejects(async () => cache.get('k', () => Promise.reject(new Error('EIO'))))
  assert.equal((await cache.get('k', () => Promise.resolve(undefined))).record(bucketKind), undefined)
})

test('records are shared frozen, and one of a newer format is refused', async () => {
  const cache = new RecordCache()
  cache.publish('k', bucket('a'))
  const value = await cache.get('k', () => assert.fail('it is in the cache'))
  const record = value.record(bucketKind)
  assert.equal(record, value.record(bucketKind))
  assert.throws(() => Object.assign(record ?? {}, { owner: 'b' }), TypeError)
  cache.publish('k', bucket('a', 2))
  const newer = await cache.get('k', () => assert.fail('it is in the cache'))
  assert.throws(() => newer.record(bucketKind), NewerFormatError)
})
