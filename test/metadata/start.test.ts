import assert from 'node:assert/strict'
import test from 'node:test'
import { create, toBinary } from '@bufbuild/protobuf'
import { KeyWriter } from '../../core/keyspace/bytes.ts'
import { formatKey, objectKey } from '../../core/keyspace/keys.ts'
import { NODE_LEASE_MS } from '../../core/limits.ts'
import { NewerFormatError } from '../../core/records/format.ts'
import { ClusterPlanError } from '../../metadata/cluster/bootstrap.ts'
import { NoClusterError, WrongClusterError } from '../../metadata/cluster/assert-cluster.ts'
import { type EngineBatch, EngineOpenError } from '../../metadata/engine/engine.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { Partition } from '../../metadata/partition/partition.ts'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { startMetadata, startOn } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  put,
  putPart,
  startUpload,
  until,
} from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

/** An engine that outlives the services on it, as a disk does. */
class KeptEngine extends MemoryEngine {
  override async close(): Promise<void> {}
}

test('what was acknowledged is there after a restart: records, the map, the backlog and its sequences', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  const first = await startMetadata(config, world)
  await createBucket(first.api)
  await put(first.api, 'k')
  const kept = await put(first.api, 'k')
  const { map } = await first.api.call('getCluster', {})
  const { records } = await first.api.call('readOutbox', { limit: 10 })
  await first.close()
  await assert.rejects(first.api.call('getBucket', { name: BUCKET }), /shutting down/)

  // Another plan changes nothing: the map is made once.
  const other = { ...config.bootstrap, nodes: config.bootstrap.nodes.slice(1) }
  const second = await startMetadata({ ...config, bootstrap: other }, world)
  assert.equal((await get(second.api, 'k'))?.version, kept.version)
  const cluster = await second.api.call('getCluster', {})
  assert.deepEqual(cluster.map, map)
  assert.equal(cluster.outboxBacklog, 1n)
  await second.api.call('acknowledgeOutbox', { sequences: records.map(({ sequence }) => sequence) })
  await put(second.api, 'k')
  const later = await second.api.call('readOutbox', { after: records.at(-1)?.sequence ?? 0n, limit: 10 })
  assert.equal(later.records.length, 1)
  await second.close()
  await remove()
})

test('a folder in use, of a newer program or of another cluster is refused and left as it is', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  const running = await startMetadata(config, world)
  await assert.rejects(startMetadata(config, world), EngineOpenError)
  await createBucket(running.api)
  await running.close()
  await assert.rejects(startMetadata({ ...config, clusterId: 'another' }, world), WrongClusterError)
  const engine = await LevelEngine.open(path)
  const stamp = await engine.get(formatKey)
  const newer = { key: formatKey, value: new KeyWriter(1).number(7, 4).bytes() }
  await engine.commit({ fence: { key: formatKey, token: stamp }, puts: [newer], deletes: [] })
  await engine.close()
  await assert.rejects(startMetadata(config, world), {
    name: NewerFormatError.name,
    message: 'the metadata here was made by a newer Ashlar (format 7, this program knows 1)',
  })
  await remove()
})

test('a cluster that is there already is not begun anew in an engine that has none, which is left empty', async () => {
  const engine = new KeptEngine()
  const config = metadataConfig()
  await assert.rejects(startOn(engine, { ...config, existing: true }, world), NoClusterError)
  assert.deepEqual(await engine.scan({ gte: Uint8Array.of(), lt: Uint8Array.of(0xff), limit: 9 }), [])
  const first = await startOn(engine, config, world)
  await createBucket(first.api)
  await first.close()
  const second = await startOn(engine, { ...config, existing: true }, world)
  assert.equal((await second.api.call('getBucket', { name: BUCKET })).bucket?.name, BUCKET)
  await second.close()
})

test('a plan that breaks a rule is refused', async () => {
  const config = metadataConfig()
  const [node] = config.bootstrap.nodes
  const [pool] = config.bootstrap.pools
  assert.ok(node !== undefined && pool !== undefined)
  for (const change of [
    { nodes: [] },
    { nodes: [node, node] },
    { nodes: [{ ...node, weight: 0 }] },
    { nodes: [{ ...node, zone: '' }] },
    { pools: [] },
    { pools: [pool, pool] },
    { pools: [{ ...pool, groups: 0 }] },
  ]) {
    const bootstrap = { ...config.bootstrap, ...change }
    await assert.rejects(startMetadata({ ...config, bootstrap }, world), ClusterPlanError)
  }
})

test('a record of a newer format is refused by itself', async () => {
  const engine = new KeptEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  const record = create(ObjectRecordSchema, { format: 9, bucket: BUCKET, key: 'new' })
  const entry = { key: objectKey(BUCKET, 'new'), value: toBinary(ObjectRecordSchema, record) }
  await engine.commit({ fence: { key: Uint8Array.of(0xee), token: undefined }, puts: [entry], deletes: [] })
  await failsWith(get(api, 'new'), FailureCode.INTERNAL)
  await assert.rejects(get(api, 'new'), /the object record was made by a newer Ashlar \(format 9/)
  await failsWith(put(api, 'new'), FailureCode.INTERNAL)
  await put(api, 'old')
  await close()
})

test('a second owner fences the first out, which then writes nothing and answers NOT_MINE', async () => {
  const engine = new MemoryEngine()
  const first = await Partition.open(engine, WHOLE_RANGE, world)
  const change = (key: number) => ({ puts: [{ key: Uint8Array.of(0xf0, key), value: Uint8Array.of(key) }] })
  first.enqueue(change(1))
  await first.settled()
  const second = await Partition.open(engine, WHOLE_RANGE, world)
  first.enqueue(change(2))
  await failsWith(first.settled(), FailureCode.NOT_MINE)
  await failsWith(
    first.scan({ gte: Uint8Array.of(0xf0), lt: Uint8Array.of(0xf1), limit: 9 }),
    FailureCode.NOT_MINE,
  )
  second.enqueue(change(3))
  await second.settled()
  const found = await second.scan({ gte: Uint8Array.of(0xf0), lt: Uint8Array.of(0xf1), limit: 9 })
  assert.deepEqual(
    found.map(({ key }) => key[1]),
    [1, 3],
  )
  assert.equal((await first.ended).code, FailureCode.NOT_MINE)
})

test('after the engine failed, the outcome is unknown, and what is there is served again as soon as it can be read', async () => {
  class FailingEngine extends MemoryEngine {
    failing = false
    override async commit(batch: EngineBatch): Promise<void> {
      if (this.failing) throw new Error('EIO')
      await super.commit(batch)
    }
  }
  const engine = new FailingEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  await put(api, 'k', { etag: 'kept' })
  engine.failing = true
  await failsWith(put(api, 'k', { etag: 'lost' }), FailureCode.UNAVAILABLE)
  engine.failing = false
  assert.equal((await get(api, 'k'))?.etag, 'kept')
  await put(api, 'k', { etag: 'next' })
  assert.equal((await get(api, 'k'))?.etag, 'next')
  await close()
})

test('nothing is read before it is durable, and no refusal tells of it', async () => {
  class SlowEngine extends MemoryEngine {
    gate: Promise<undefined> | undefined
    override async commit(batch: EngineBatch): Promise<void> {
      await this.gate
      await super.commit(batch)
    }
  }
  const engine = new SlowEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  const gate = Promise.withResolvers<undefined>()
  engine.gate = gate.promise
  const order: string[] = []
  const creating = put(api, 'k', {}, { ifNoneMatchAny: true }).then(() => order.push('created'))
  const refused = failsWith(put(api, 'k', {}, { ifNoneMatchAny: true }), FailureCode.PRECONDITION_FAILED)
  const refusing = refused.then(() => order.push('refused'))
  for (let turn = 0; turn < 5; turn++) {
    assert.equal(await get(api, 'k'), undefined)
    assert.deepEqual((await api.call('listObjects', { bucket: BUCKET, limit: 5 })).objects, [])
    await world.nextTurn()
  }
  assert.deepEqual(order, [])
  gate.resolve(undefined)
  await Promise.all([creating, refusing])
  assert.notEqual(await get(api, 'k'), undefined)
  await close()
})

test('removal of parts goes on where a crash left it', async () => {
  const engine = new KeptEngine()
  const first = await startOn(engine, metadataConfig(), world)
  await createBucket(first.api)
  const blobs: string[] = []
  for (let index = 0; index < 3; index++) {
    const uploadId = await startUpload(first.api, `k${index}`)
    for (let number = 1; number <= 60; number++) {
      blobs.push((await putPart(first.api, `k${index}`, uploadId, number)).blob?.id ?? '')
    }
  }
  await first.api.call('deleteBucket', { name: BUCKET })
  // The second owner takes over in the midst of it.
  const second = await startOn(engine, metadataConfig(), world)
  await until(async () => (await garbage(second.api)).length >= blobs.length)
  assert.deepEqual(await garbage(second.api), blobs.sort())
  await first.close()
  await second.close()
})

test('time that jumps back: no object is older than what it replaced; a lease ends by the other clock', async () => {
  const startMs = Date.now()
  let nowMs = startMs
  let monotonicMs = 0
  const clock: Clock = { ...world.clock, nowMs: () => nowMs, monotonicMs: () => monotonicMs }
  const { api, close } = await startMetadata(metadataConfig(), { ...world, clock })
  await createBucket(api)
  const first = await put(api, 'k')
  nowMs -= 1_000_000
  const second = await put(api, 'k')
  assert.deepEqual([first.lastModifiedMs, second.lastModifiedMs], [BigInt(startMs), BigInt(startMs)])
  const uploadId = await startUpload(api, 'k')
  const object = await complete(api, 'k', uploadId, [await putPart(api, 'k', uploadId, 1)])
  assert.equal(object.lastModifiedMs, BigInt(startMs))
  const up = async () =>
    (await api.call('getCluster', {})).nodes.filter((node) => node.up).map(({ node }) => node)
  await api.call('heartbeat', { node: { node: 'a1' }, zone: 'a' })
  monotonicMs = NODE_LEASE_MS - 1
  await api.call('heartbeat', { node: { node: 'b1' }, zone: 'b' })
  assert.deepEqual(await up(), ['a1', 'b1'])
  monotonicMs = NODE_LEASE_MS
  assert.deepEqual(await up(), ['b1'])
  await close()
})
