import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { REPAIR_QUEUE_MAX } from '../../core/limits.ts'
import {
  BlobState,
  ResolveBlobsReplySchema,
  ResolveBlobsRequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { RepairTaskSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { createWorkScene } from '../testing/scene.ts'

const STUCK = 'stuck'

test('more repairs than can be kept in mind, none of which can be made, keep nothing from its repair', async () => {
  const scene = createWorkScene({ groups: 1, large: 'replica-3', small: '' })
  const { metadata, clock } = scene
  // Alive, and of a pool that this program does not know.
  const tasks = Array.from({ length: REPAIR_QUEUE_MAX + 1 }, (_, i) => {
    const blob = { id: i.toString(16).padStart(32, '0'), size: 1n, code: 'replica-3', group: 9 * 65_536 }
    return create(RepairTaskSchema, { bucket: STUCK, key: 'key', version: '', blob })
  })
  metadata.blobs.queueRepairs(tasks)
  const { resolve } = metadata.blobs
  metadata.blobs.resolve = function (request) {
    const { places } = create(ResolveBlobsRequestSchema, request)
    if (places.some(({ bucket }) => bucket !== STUCK)) return resolve.call(this, request)
    return create(ResolveBlobsReplySchema, { blobs: places.map(() => ({ state: BlobState.LIVE })) })
  }
  metadata.down.add('b1')
  await scene.fill('key', 2, [1000])
  const owed = () => metadata.blobs.outbox.length - tasks.length
  assert.equal(owed(), 2)
  await scene.start()
  await clock.pass(2000)
  metadata.down.clear()
  await scene.until('nothing else is owed', () => owed() === 0, 900_000)
  await scene.end()
})

test('repairs of every outbox are made and acknowledged there; one whose owner is away holds up none of the others', async () => {
  const scene = createWorkScene({ groups: 1, large: 'replica-3', small: '' })
  const { metadata, clock } = scene
  metadata.blobs.outboxes = [1n, 4n, 8n]
  metadata.down.add('b1')
  await scene.fill('key', 6, [1000])
  assert.equal(metadata.blobs.outbox.length, 6)
  metadata.blobs.unreadable.add(4n)
  await scene.start()
  await clock.pass(2000)
  metadata.down.clear()
  await scene.until('only those of one outbox are owed', () => metadata.blobs.outbox.length === 2, 60_000)
  metadata.blobs.unreadable.clear()
  await scene.until('nothing is owed', () => metadata.blobs.outbox.length === 0, 60_000)
  await scene.assertWhole()
  await scene.end()
})
