import assert from 'node:assert/strict'
import test from 'node:test'
import { NODE_FLAP_MS, NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../../core/limits.ts'
import { type RunningMetadata, startMetadata, startOn } from '../../metadata/main.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { type ClusterMap, NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { ManualClock } from '../contract/manual-clock.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

/** Three zones of two nodes, and a service whose time is run by hand. */

const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
const GRACE_MS = 30_000
const CONFIG = metadataConfig({ nodeGraceMs: GRACE_MS })

async function start(clock: ManualClock, engine?: MemoryEngine): Promise<RunningMetadata> {
  const ports = { ...world, clock }
  return engine === undefined ? startMetadata(CONFIG, ports) : startOn(engine, CONFIG, ports)
}

/** Time that passes while all but `silent` are heard. */
async function pass(
  { api }: RunningMetadata,
  clock: ManualClock,
  ms: number,
  silent: readonly string[] = [],
  condition = NodeCondition.WRITABLE,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += NODE_HEARTBEAT_MS) {
    clock.advance(NODE_HEARTBEAT_MS)
    for (const node of NODES) {
      if (silent.includes(node)) continue
      await api.call('heartbeat', { node: { node, condition }, zone: node.slice(0, 1) })
    }
    // Looks go on in turns of their own.
    await world.nextTurn()
    await world.nextTurn()
  }
}

async function mapOf({ api }: RunningMetadata): Promise<ClusterMap> {
  const { map } = await api.call('getCluster', {})
  assert.ok(map !== undefined)
  return map
}

function slotsWhere(
  map: ClusterMap,
  is: (slot: { node: string; source: string; filling: boolean }) => boolean,
) {
  return map.pools.flatMap(({ groups }) => groups.flatMap(({ slots }) => slots)).filter(is)
}

test('a node that is down for longer than the grace period has its slots given to others, in one epoch', async () => {
  const clock = new ManualClock()
  const running = await start(clock)
  await pass(running, clock, 2 * NODE_LEASE_MS)
  const before = await mapOf(running)
  await pass(running, clock, GRACE_MS, ['a1'])
  assert.equal((await mapOf(running)).epoch, before.epoch)
  await pass(running, clock, NODE_LEASE_MS + 3000, ['a1'])
  const after = await mapOf(running)
  assert.equal(after.epoch, before.epoch + 1n)
  assert.equal(slotsWhere(after, ({ node }) => node === 'a1').length, 0)
  const moved = slotsWhere(after, ({ filling: moving }) => moving)
  assert.equal(moved.length, slotsWhere(before, ({ node }) => node === 'a1').length)
  assert.ok(moved.every(({ node, source }) => node === 'a2' && source === 'a1'))
  const { nodes } = await running.api.call('getCluster', {})
  const downSince = Number(nodes.find(({ node }) => node === 'a1')?.downSinceMs)
  assert.ok(Math.abs(world.clock.nowMs() - downSince - GRACE_MS) < 10_000)
  // It comes back: nothing moves before it is up for good; then the shards that lie doubled up return to it.
  await pass(running, clock, NODE_FLAP_MS - 3000)
  assert.equal((await mapOf(running)).epoch, after.epoch)
  await pass(running, clock, 6000)
  const back = await mapOf(running)
  assert.equal(back.epoch, after.epoch + 1n)
  for (const { slots } of back.pools[0]?.groups ?? []) {
    assert.equal(new Set(slots.map(({ node }) => node)).size, 6)
  }
  await pass(running, clock, 2 * NODE_FLAP_MS)
  assert.equal((await mapOf(running)).epoch, back.epoch)
  await running.close()
})

test('a node that flaps is substituted once, and one that is only read-only is left alone', async () => {
  const clock = new ManualClock()
  const running = await start(clock)
  await pass(running, clock, 2 * NODE_LEASE_MS)
  const before = await mapOf(running)
  await pass(running, clock, 3 * GRACE_MS, [], NodeCondition.READ_ONLY)
  assert.equal((await mapOf(running)).epoch, before.epoch)
  for (let round = 0; round < 8; round++) {
    await pass(running, clock, NODE_LEASE_MS + 9000, ['b1'])
    await pass(running, clock, 15_000)
  }
  assert.equal((await mapOf(running)).epoch, before.epoch + 1n)
  await running.close()
})

test('a zone that is away moves nothing, and neither does the rest of the cluster for a service that is cut off', async () => {
  for (const silent of [['c1', 'c2'], ['b1', 'b2', 'c1', 'c2'], NODES]) {
    const clock = new ManualClock()
    const running = await start(clock)
    await pass(running, clock, 2 * NODE_LEASE_MS)
    const before = await mapOf(running)
    await pass(running, clock, 3 * GRACE_MS, silent)
    assert.equal((await mapOf(running)).epoch, before.epoch, silent.join())
    await running.close()
  }
})

test('after a restart of the service the time down counts anew', async () => {
  class KeptEngine extends MemoryEngine {
    override async close(): Promise<void> {}
  }
  const engine = new KeptEngine()
  const clock = new ManualClock()
  const first = await start(clock, engine)
  await pass(first, clock, 2 * NODE_LEASE_MS)
  await pass(first, clock, GRACE_MS, ['a1'])
  await first.close()
  const second = await start(clock, engine)
  const before = await mapOf(second)
  await pass(second, clock, GRACE_MS, ['a1'])
  assert.equal((await mapOf(second)).epoch, before.epoch)
  await pass(second, clock, NODE_LEASE_MS + 3000, ['a1'])
  assert.equal((await mapOf(second)).epoch, before.epoch + 1n)
  await second.close()
  // The map is durable, the substitution with it.
  const third = await start(clock, engine)
  assert.equal((await mapOf(third)).epoch, before.epoch + 1n)
  await third.close()
})

test('a service that stood still does not count that time against nodes that it could not hear', async () => {
  const clock = new ManualClock()
  const running = await start(clock)
  await pass(running, clock, 2 * NODE_LEASE_MS)
  const before = await mapOf(running)
  await pass(running, clock, GRACE_MS - 3000, ['a1'])
  clock.advance(GRACE_MS)
  await pass(running, clock, GRACE_MS, ['a1'])
  assert.equal((await mapOf(running)).epoch, before.epoch)
  await pass(running, clock, NODE_LEASE_MS + 3000, ['a1'])
  assert.equal((await mapOf(running)).epoch, before.epoch + 1n)
  await running.close()
})
