import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import { CommitObjectRequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { isRepeatable, locate } from './locate.ts'

const AT = { to: 'position', position: { bucket: 'b', key: 'k' } }

test('what is about a key goes to its partition, be it a message or a plain object', () => {
  assert.deepEqual(locate('getObject', { bucket: 'b', key: 'k' }), AT)
  assert.deepEqual(locate('commitObject', { object: { bucket: 'b', key: 'k' } }), AT)
  const message = create(CommitObjectRequestSchema, { object: { bucket: 'b', key: 'k' } })
  assert.deepEqual(locate('commitObject', message), AT)
  assert.deepEqual(locate('createUpload', { upload: { bucket: 'b', key: 'k' } }), AT)
  assert.deepEqual(locate('commitPart', { bucket: 'b', key: 'k' }), AT)
  assert.deepEqual(locate('replaceBlob', { place: { bucket: 'b', key: 'k' } }), AT)
  assert.deepEqual(locate('putAnnotation', { bucket: 'b', key: 'k' }), AT)
})

test('what lacks its key goes somewhere, to be refused', () => {
  assert.deepEqual(locate('commitObject', {}), { to: 'position', position: { bucket: '', key: '' } })
})

test("what is the cluster's goes to the root", () => {
  assert.deepEqual(locate('createBucket', {}), { to: 'root' })
  assert.deepEqual(locate('keepLease', {}), { to: 'root' })
  assert.deepEqual(locate('getPartitions', {}), { to: 'anybody' })
  assert.deepEqual(locate('probeBucket', {}), { to: 'direct' })
})

test('a listing begins where its first entry can be: at the latest of prefix, from and marker', () => {
  const at = (request: Parameters<typeof locate<'listObjects'>>[1]) => {
    const route = locate('listObjects', { bucket: 'b', ...request })
    assert.ok(route.to === 'listing')
    return route.position.key
  }
  assert.equal(at({}), '')
  assert.equal(at({ prefix: 'p' }), 'p')
  assert.equal(at({ prefix: 'p', after: 'p/5', from: 'p/3' }), 'p/5')
  assert.equal(at({ prefix: 'p', after: 'a', from: 'p/3' }), 'p/3')
  // By UTF-8, not by UTF-16.
  assert.equal(at({ after: '\u{1F600}', from: '\uff5e' }), '\u{1F600}')
  const uploads = locate('listUploads', { bucket: 'b', keyMarker: 'k', uploadIdMarker: '7' })
  assert.deepEqual(uploads, { to: 'listing', position: { bucket: 'b', key: 'k' } })
})

test('an outbox is named by its id; without one it is the first there was', () => {
  assert.deepEqual(locate('readOutbox', {}), { to: 'outbox', outbox: 1 })
  assert.deepEqual(locate('acknowledgeOutbox', { outbox: 7n }), { to: 'outbox', outbox: 7 })
})

test('reads may be repeated, commits may not', () => {
  for (const operation of ['getObject', 'listVersions', 'heartbeat', 'acknowledgeOutbox'] as const) {
    assert.ok(isRepeatable(operation), operation)
  }
  for (const operation of ['commitObject', 'deleteObject', 'completeUpload', 'changeCluster'] as const) {
    assert.ok(!isRepeatable(operation), operation)
  }
})
