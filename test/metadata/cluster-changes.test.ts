import assert from 'node:assert/strict'
import test from 'node:test'
import type { EngineBatch } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startMetadata, startOn } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import { failsWith } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

/** An engine that outlives the services on it, as a disk does, and fails on demand, before or after it wrote. */
class KeptEngine extends MemoryEngine {
  failing: 'before' | 'after' | undefined
  override async close(): Promise<void> {}
  override async commit(batch: EngineBatch): Promise<void> {
    const { failing } = this
    if (failing === 'before') throw new Error('EIO')
    await super.commit(batch)
    if (failing === 'after') throw new Error('EIO')
  }
}

function add(api: MetadataApi, id: string) {
  return api.call('changeCluster', { change: { case: 'addNode', value: { id, zone: id.slice(0, 1) } } })
}

async function nodesOf(api: MetadataApi): Promise<string[]> {
  const { map } = await api.call('getCluster', {})
  return (map?.nodes ?? []).map(({ id }) => id)
}

test('a change of the map is there after a restart, with its epoch', async () => {
  const { path, remove } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  const first = await startMetadata(config, world)
  const { map } = await add(first.api, 'a3')
  await first.close()
  const second = await startMetadata(config, world)
  const found = await second.api.call('getCluster', {})
  assert.deepEqual(found.map, map)
  assert.equal((await add(second.api, 'b3')).map?.epoch, (map?.epoch ?? 0n) + 1n)
  await second.close()
  await remove()
})

test('two processes on one engine: one has the map, the other answers NOT_MINE until it takes over, and no epoch is given twice', async () => {
  const engine = new KeptEngine()
  const first = await startOn(engine, metadataConfig({ shared: true, nodeId: 'first' }), world)
  const one = await add(first.api, 'a3')
  const second = await startOn(engine, metadataConfig({ shared: true, nodeId: 'second' }), world)
  await failsWith(add(second.api, 'b3'), FailureCode.NOT_MINE)
  await first.close()
  const two = await eventually(() => add(second.api, 'b3'))
  assert.equal(two.map?.epoch, (one.map?.epoch ?? 0n) + 1n)
  assert.ok((await nodesOf(second.api)).includes('a3'))
  await second.close()
})

/** Asks again while the answer is NOT_MINE. */
async function eventually<T>(run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.NOT_MINE) throw error
    }
    await world.clock.sleep(20)
  }
}

test('when it is not known whether a change was written, what is there is looked up', async () => {
  for (const failing of ['before', 'after'] as const) {
    const engine = new KeptEngine()
    const { api, close } = await startOn(engine, metadataConfig(), world)
    engine.failing = failing
    await failsWith(add(api, 'a3'), FailureCode.UNAVAILABLE)
    engine.failing = undefined
    // What is true is read from the engine, under a new fence.
    assert.equal((await nodesOf(api)).includes('a3'), failing === 'after')
    await add(api, 'b3')
    const nodes = await nodesOf(api)
    assert.ok(nodes.includes('b3'))
    assert.equal(nodes.includes('a3'), failing === 'after')
    await close()
  }
})

test('what is answered is frozen, and is another map after each change', async () => {
  const { api, close } = await startMetadata(metadataConfig(), world)
  const { map: before } = await api.call('getCluster', {})
  const { map: after } = await add(api, 'a3')
  assert.ok(before !== undefined && after !== undefined && before !== after)
  assert.throws(() => {
    after.epoch = 9n
  }, TypeError)
  assert.ok(!before.nodes.some(({ id }) => id === 'a3'))
  await close()
})
