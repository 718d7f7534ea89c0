import assert from 'node:assert/strict'
import test from 'node:test'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { SnapshotLostError } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { acknowledgeOutbox, readOutbox } from '../../metadata/partition/outbox-requests.ts'
import { Partition } from '../../metadata/partition/partition.ts'
import { startMetadata } from '../../metadata/main.ts'
import {
  AcknowledgeOutboxRequestSchema,
  BlobState,
  ReadOutboxRequestSchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { create } from '@bufbuild/protobuf'
import { createBucket, identifierOf, put } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { engineWith } from './engine-with.ts'

const WEEK_MS = 7 * 24 * 3_600_000

/** Of so long ago that it would be an orphan, were it not garbage of late. */
const BEGUN_MS = Date.now() - WEEK_MS
const idOf = (count: number): string => identifierOf(BEGUN_MS, count)

test('a long outbox is counted while the partition is served: nothing is an orphan until it is known what became garbage', async () => {
  const engine = new MemoryEngine()
  const before = await Partition.open(engine, WHOLE_RANGE, world)
  for (let count = 0; count < 300; count++) {
    before.enqueue({
      tasks: [{ case: 'garbage', value: { bucket: 'b', key: 'k', blobs: [{ id: idOf(count) }] } }],
    })
    before.enqueue({
      tasks: [{ case: 'repair', value: { bucket: 'b', key: 'k', blob: { id: idOf(count) } } }],
    })
  }
  await before.settled()
  const gate = Promise.withResolvers<undefined>()
  let lost = 0
  const slow = engineWith(engine, {
    async openSnapshot() {
      const snapshot = await engine.openSnapshot()
      return {
        close: () => snapshot.close(),
        async scan(request) {
          await gate.promise
          // The first is lost in the midst of it.
          if (lost < 1 && request.limit > 0 && (request.gte[0] ?? 0) === 0x31) {
            lost++
            throw new SnapshotLostError('gone')
          }
          return await snapshot.scan(request)
        },
      }
    },
  })
  const partition = await Partition.open(slow, WHOLE_RANGE, world)
  // What is an orphan by its age, and garbage of nobody.
  assert.equal(partition.blobs.judge(idOf(999_999)), BlobState.YOUNG)
  const { records } = await readOutbox(partition, create(ReadOutboxRequestSchema, { limit: 20 }))
  assert.equal(records.length, 20)
  const sequences = records.map(({ sequence }) => sequence)
  await acknowledgeOutbox(partition, create(AcknowledgeOutboxRequestSchema, { sequences }))
  partition.enqueue({ tasks: [{ case: 'garbage', value: { bucket: 'b', key: 'k', blobs: [] } }] })
  await partition.settled()
  assert.equal(partition.outbox.counted, false)
  gate.resolve(undefined)
  await partition.counted
  assert.equal(lost, 1)
  assert.deepEqual(partition.outbox.backlog, { garbage: 291, repair: 290 })
  assert.equal(partition.blobs.judge(idOf(999_999)), BlobState.ORPHAN)
  assert.equal(partition.blobs.judge(idOf(5)), BlobState.YOUNG)
  assert.ok(partition.outbox.repairs.has(idOf(299)))
  // Done while it was being counted: it may be asked for again.
  assert.ok(!partition.outbox.repairs.has(idOf(5)))
})

test('the outbox of a partition that was merged into another is read and acknowledged, and leaves the map when it is empty', async () => {
  const { api, node, close } = await startMetadata(metadataConfig(), world)
  await createBucket(api)
  await api.call('changePartitions', {
    change: { case: 'split', value: { id: 1n, at: { bucket: 'bucket', key: 'm' } } },
  })
  for (const key of ['a', 'z', 'z', 'z', 'a']) await put(api, key)
  await api.call('changePartitions', { change: { case: 'merge', value: { left: 1n } } })
  const outboxes = () => node.maps.map.partitions.map((one) => one.outboxes.map(Number))
  await node.tidy()
  assert.deepEqual(outboxes(), [[1, 2]])
  const keysIn = async (outbox: bigint) =>
    (await api.call('readOutbox', { outbox, limit: 10 })).records.map(
      ({ task }) => task.case === 'garbage' && task.value.key,
    )
  assert.deepEqual([await keysIn(1n), await keysIn(2n)], [['a'], ['z', 'z']])
  const { records } = await api.call('readOutbox', { outbox: 2n, limit: 10 })
  await api.call('acknowledgeOutbox', { outbox: 2n, sequences: records.map(({ sequence }) => sequence) })
  assert.deepEqual([await keysIn(1n), await keysIn(2n)], [['a'], []])
  await node.tidy()
  assert.deepEqual(outboxes(), [[1]])
  assert.equal((await api.call('getCluster', {})).outboxBacklog, 1n)
  await put(api, 'z')
  assert.deepEqual(await keysIn(1n), ['a', 'z'])
  await close()
})
