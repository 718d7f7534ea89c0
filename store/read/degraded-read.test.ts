import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { create } from '@bufbuild/protobuf'
import { HEDGE_DELAY_MS_MAX, SHARD_GET_TIMEOUT_MS } from '../../core/limits.ts'
import { ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { clusterMap } from '../testing/cluster-map.ts'
import { DOWN, type Fault } from '../testing/fake-shards.ts'
import { bytesOf, createHarness, type Harness } from '../testing/harness.ts'

const MIB = 1024 * 1024
const LARGE = bytesOf(9 * MIB + 77, 4)
const SMALL = bytesOf(5000, 4)
const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

async function ends(harness: Harness): Promise<void> {
  await harness.assertIdle()
  await harness.store.close()
}

test('any two nodes of six may be lost, whatever ails them and whatever range is read', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  const small = await harness.put('small', SMALL)
  const pairs = NODES.flatMap((a, i) => NODES.slice(i + 1).map((b) => [a, b] as const))
  const ailments: Fault[] = [
    DOWN,
    { kind: 'corrupt' },
    { kind: 'hang' },
    { kind: 'slow', ms: 3000 },
    { kind: 'fail', code: 'not-found' },
  ]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pairs),
      fc.constantFrom(...ailments),
      fc.constantFrom(...ailments),
      fc.tuple(fc.nat(LARGE.length), fc.nat(LARGE.length)),
      async ([one, other], first, second, [x, y]) => {
        harness.shards.afflict([one], first)
        harness.shards.afflict([other], second)
        const [start, end] = [Math.min(x, y), Math.max(x, y)]
        assert.ok((await harness.read(large, start, end)).equals(LARGE.subarray(start, end)))
        assert.ok((await harness.read(small)).equals(SMALL))
        harness.shards.afflict(NODES, undefined)
        await harness.clock.pass(20_000)
      },
    ),
    { numRuns: 60 },
  )
  await ends(harness)
})

test('three nodes lost: an error that says so, and none of the bytes are wrong', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  harness.shards.afflict(['a1', 'b1', 'c1'], DOWN)
  await assert.rejects(harness.read(large), { code: 'unreadable' })
  harness.shards.afflict(['a1', 'b1', 'c1'], { kind: 'corrupt' })
  await assert.rejects(harness.read(large), { code: 'unreadable' })
  harness.shards.afflict(['a1', 'b1', 'c1'], undefined)
  await harness.clock.pass(20_000)
  assert.ok((await harness.read(large)).equals(LARGE))
  await ends(harness)
})

test('a lease that was lost by mistake does not make data unreadable', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  for (const node of NODES) harness.metadata.down.add(node)
  await harness.clock.pass(2000)
  assert.ok((await harness.read(large)).equals(LARGE))
  await ends(harness)
})

test('only the window that is missing is fetched and reconstructed', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  const group = harness.metadata.map.pools
    .flatMap((pool) => pool.groups)
    .find(({ id }) => id === large.blob?.group)
  const lost = group?.slots[1]?.node ?? ''
  harness.shards.afflict([lost], DOWN)
  const before = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  const start = MIB + 3 * 65_536 + 5
  assert.ok((await harness.read(large, start, start + 100)).equals(LARGE.subarray(start, start + 100)))
  const after = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  assert.equal(after - before, 4 * 65_536, 'one block of each of four shards')
  await ends(harness)
})

test('a whole stripe around one lost shard costs one shard more, not a second reading of the others', async () => {
  const harness = createHarness()
  const bytes = bytesOf(4 * MIB)
  const record = await harness.put('large', bytes)
  const group = harness.metadata.map.pools
    .flatMap((pool) => pool.groups)
    .find(({ id }) => id === record.blob?.group)
  const lost = group?.slots[2]?.node ?? ''
  for (const known of [false, true]) {
    harness.shards.afflict([lost], DOWN)
    if (known) harness.metadata.down.add(lost)
    await harness.clock.pass(20_000)
    const before = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
    assert.ok((await harness.read(record)).equals(bytes))
    const after = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
    assert.equal(after - before, 4 * MIB)
  }
  await ends(harness)
})

test('a slow node is gone round after the hedge delay, and left alone when it stays slow', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  harness.shards.afflict(['b1'], { kind: 'slow', ms: 3500 })
  const began = harness.clock.monotonicMs()
  assert.ok((await harness.read(large)).equals(LARGE))
  assert.ok(harness.clock.monotonicMs() - began <= 3 * HEDGE_DELAY_MS_MAX, 'one delay a stripe at most')
  for (let i = 0; i < 3; i++) await harness.read(large)
  assert.ok(harness.store.cluster().nodes.find(({ id }) => id === 'b1')?.suspectedForReads)
  const calls = harness.shards.node('b1').calls.get
  const then = harness.clock.monotonicMs()
  assert.ok((await harness.read(large)).equals(LARGE))
  assert.equal(harness.shards.node('b1').calls.get, calls)
  assert.equal(harness.clock.monotonicMs(), then, 'no waiting at all')
  await ends(harness)
})

test('hedges have a budget: when everything is slow, they do not double the load', async () => {
  const harness = createHarness()
  const small = await harness.put('small', SMALL)
  harness.shards.afflict(NODES, { kind: 'slow', ms: 900 })
  let calls = 0
  const reads = 300
  for (let i = 0; i < reads; i++) assert.ok((await harness.read(small)).equals(SMALL))
  for (const node of harness.shards.nodes.values()) calls += node.calls.get
  assert.ok(calls < reads * 1.6, `${calls} calls for ${reads} reads`)
  await ends(harness)
})

test('a frozen node is given up after the timeout even without a hedge left', async () => {
  const harness = createHarness({ zones: 1, nodesPerZone: 2, small: 'replica-2', large: 'rs-1-1' })
  const small = await harness.put('small', SMALL)
  harness.shards.afflict(['a1'], { kind: 'hang' })
  const began = harness.clock.monotonicMs()
  for (let i = 0; i < 10; i++) assert.ok((await harness.read(small)).equals(SMALL))
  assert.ok(harness.clock.monotonicMs() - began < 2 * SHARD_GET_TIMEOUT_MS)
  await ends(harness)
})

test('copies of a small object share its reads', async () => {
  const harness = createHarness({ nodesPerZone: 1 })
  const small = await harness.put('small', SMALL)
  for (let i = 0; i < 90; i++) await harness.read(small)
  for (const node of harness.shards.nodes.values()) {
    assert.ok(node.calls.get > 10, `${node.id} served ${node.calls.get} of 90`)
  }
  await ends(harness)
})

test('while a slot moves, its shards are found at the target or at the source', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  const moved = clusterMap({ epoch: 2 })
  for (const pool of moved.pools ?? []) {
    for (const { slots = [] } of pool.groups ?? []) {
      for (const slot of slots) if (slot.node === 'a1') Object.assign(slot, { node: 'a2', source: 'a1' })
    }
  }
  harness.metadata.map = create(ClusterMapSchema, moved)
  await harness.clock.pass(2000)
  const bytesRead = () => [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  const healthy = bytesRead()
  assert.ok((await harness.read(large)).equals(LARGE))
  const once = bytesRead() - healthy
  // Backfill brings half of them over.
  const [source, target] = [harness.shards.node('a1'), harness.shards.node('a2')]
  for (const [key, shard] of [...source.shards].slice(0, 2)) {
    source.shards.delete(key)
    target.shards.set(key, shard)
  }
  assert.ok((await harness.read(large)).equals(LARGE))
  assert.equal(bytesRead(), healthy + 2 * once)
  const dataShards = 9 * MIB + 64 * 1024
  assert.ok(once <= dataShards, `${once} bytes were read: nothing was reconstructed`)
  await ends(harness)
})

test('when shards have moved on by a map not yet heard of, the read looks again before it gives up', async () => {
  const harness = createHarness({ nodesPerZone: 1, small: 'replica-1' })
  const small = await harness.put('small', SMALL)
  const group = harness.metadata.map.pools
    .flatMap((pool) => pool.groups)
    .find(({ id }) => id === small.blob?.group)
  const from = group?.slots[0]?.node ?? ''
  const to = from === 'a1' ? 'b1' : 'a1'
  const moved = clusterMap({ epoch: 2, nodesPerZone: 1, small: 'replica-1' })
  for (const pool of moved.pools ?? []) {
    for (const { slots = [] } of pool.groups ?? []) {
      for (const slot of slots) if (slot.node === from) slot.node = to
    }
  }
  harness.metadata.map = create(ClusterMapSchema, moved)
  const [source, target] = [harness.shards.node(from), harness.shards.node(to)]
  for (const [key, shard] of source.shards) target.shards.set(key, shard)
  source.shards.clear()
  assert.ok((await harness.read(small)).equals(SMALL))
  await ends(harness)
})

test('a consumer that stops, or a signal, ends all fetches', async () => {
  const harness = createHarness()
  const large = await harness.put('large', LARGE)
  const whole = { start: 0, end: LARGE.length }
  const stop = async () => {
    for await (const piece of harness.store.readObject(large, whole)) if (piece.length > 0) break
  }
  await harness.clock.drive(stop())
  harness.shards.afflict(NODES, { kind: 'hang' })
  const controller = new AbortController()
  harness.clock.after(50, () => {
    controller.abort()
  })
  const abort = async () => {
    for await (const piece of harness.store.readObject(large, whole, controller.signal)) void piece
  }
  const began = harness.clock.monotonicMs()
  await assert.rejects(harness.clock.drive(abort()), { name: 'AbortError' })
  assert.equal(harness.clock.monotonicMs() - began, 50)
  await ends(harness)
})

test('a consumer that dawdles is read ahead for by one stripe, no more', async () => {
  const harness = createHarness()
  const bytes = bytesOf(40 * MIB)
  const record = await harness.put('large', bytes)
  const pieces = harness.store.readObject(record, { start: 0, end: bytes.length })[Symbol.asyncIterator]()
  await harness.clock.drive(pieces.next())
  await harness.clock.pass(60_000)
  const read = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  assert.equal(read, 8 * MIB)
  await pieces.return?.()
  await ends(harness)
})
