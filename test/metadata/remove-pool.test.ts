import assert from 'node:assert/strict'
import { test } from 'node:test'
import { POOL_QUIET_MS } from '../../core/limits.ts'
import type { EngineBatch } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startOn } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { createBucket, failsWith, get, put } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

/** A disk that takes its time on demand. */
class SlowEngine extends MemoryEngine {
  held: Promise<undefined> | undefined
  override async commit(batch: EngineBatch): Promise<void> {
    await this.held
    await super.commit(batch)
  }
}

/** Pool 1 retires, and every node says that it holds nothing of it. */
async function retire(engine = new SlowEngine()) {
  const clock = new ManualClock()
  const { api, close } = await startOn(engine, metadataConfig(), { ...world, clock })
  await createBucket(api)
  const value = { name: 'standard', code: 'rs-2-2' }
  await api.call('changeCluster', { change: { case: 'changePool', value } })
  await report(api, 0n)
  return { api, clock, engine, close, remove: () => removePool(api) }
}

async function report(api: MetadataApi, blobs: bigint): Promise<void> {
  const lines = blobs === 0n ? [] : [{ group: 65_536, shard: 0, blobs }]
  for (const node of NODES) {
    const inventory = { version: 1n + blobs, lines }
    await api.call('heartbeat', { node: { node }, zone: node.slice(0, 1), inventory })
  }
}

async function removePool(api: MetadataApi): Promise<void> {
  await api.call('changeCluster', { change: { case: 'removePool', value: { pool: 1 } } })
}

test('a pool stays while the nodes may not have said yet that they hold what was just committed into it', async () => {
  const { api, clock, close, remove } = await retire()
  await put(api, 'by an older map')
  clock.advance(POOL_QUIET_MS - 1)
  await assert.rejects(remove(), /written to a moment ago/)
  await report(api, 1n)
  clock.advance(1)
  await assert.rejects(remove(), /1 blobs/)
  await report(api, 0n)
  await remove()
  await close()
})

test('while it is on its way to the disk that a pool is removed, nothing is committed into it', async () => {
  const { api, engine, close, remove } = await retire()
  const { promise, resolve } = Promise.withResolvers<undefined>()
  engine.held = promise
  const removed = remove()
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  const late = put(api, 'late')
  late.catch(() => undefined)
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  resolve(undefined)
  await removed
  await failsWith(late, FailureCode.STALE_BLOB)
  assert.equal(await get(api, 'late'), undefined)
  await close()
})
