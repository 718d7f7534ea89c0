import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  COMMIT_INQUIRY_MS_MAX,
  COMMIT_INQUIRY_PAUSES_MS,
  SHARD_PUT_TIMEOUT_MS,
  SHARD_PUT_TIMEOUT_MS_MAX,
} from '../../core/limits.ts'
import { ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { StoreError } from '../api.ts'
import { clusterMap } from '../testing/cluster-map.ts'
import { DOWN, type Fault } from '../testing/fake-shards.ts'
import { bytesOf, contentOf, createHarness, putRequest, type Harness } from '../testing/harness.ts'

const MIB = 1024 * 1024
const LARGE = bytesOf(9 * MIB, 4)
const SMALL = bytesOf(5000, 4)

/** Every node of the fake cluster that a healthy blob of these bytes needs, in turn. */
const everyNode = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']

async function writesDegraded(harness: Harness, bytes: Uint8Array, lost: readonly string[]) {
  const { put, read, metadata, breaches, shards } = harness
  const record = await put('key', bytes)
  assert.deepEqual(breaches, [])
  const holding = (record.blob?.relocations ?? []).map((run) => run.node)
  for (const node of lost) assert.ok(!holding.includes(node))
  assert.equal(metadata.repairs.length, record.blob?.relocations.length === 0 ? 0 : 1)
  assert.ok((await read(record)).equals(bytes))
  // One more node may be lost: whichever.
  for (const next of everyNode.filter((node) => !lost.includes(node))) {
    shards.afflict([next], DOWN)
    assert.ok((await read(record)).equals(bytes), `without ${next}`)
    shards.afflict([next], undefined)
    await harness.clock.pass(20_000)
  }
  return record
}

for (const [size, bytes] of [
  ['small', SMALL],
  ['large', LARGE],
] as const) {
  for (const zone of ['a', 'b', 'c']) {
    const nodes = [`${zone}1`, `${zone}2`]
    test(`zone ${zone} is down, known from its leases: a ${size} write goes on, and nobody calls the dead`, async () => {
      const harness = createHarness()
      for (const node of nodes) harness.metadata.down.add(node)
      await harness.clock.pass(2000)
      harness.shards.afflict(nodes, DOWN)
      await writesDegraded(harness, bytes, nodes)
      for (const node of nodes) assert.equal(harness.shards.node(node).calls.put, 0)
      await harness.assertIdle()
      await harness.store.close()
    })

    test(`zone ${zone} goes down unnoticed: a ${size} write goes on, and pays for it once`, async () => {
      const harness = createHarness()
      await harness.clock.pass(1)
      harness.shards.afflict(nodes, DOWN)
      await writesDegraded(harness, bytes, nodes)
      // The first stripe's shards go out together; the stripes after it know.
      for (const node of nodes) assert.ok(harness.shards.node(node).calls.put <= 1)
      await harness.assertIdle()
      await harness.store.close()
    })
  }
}

test('a frozen node costs one timeout, not one a stripe', async () => {
  const harness = createHarness()
  await harness.clock.pass(1)
  harness.shards.afflict(['b1'], { kind: 'hang' })
  const began = harness.clock.monotonicMs()
  const record = await harness.put('key', bytesOf(40 * MIB))
  assert.ok(harness.clock.monotonicMs() - began < 2 * SHARD_PUT_TIMEOUT_MS)
  assert.deepEqual(harness.breaches, [])
  assert.ok((record.blob?.relocations.length ?? 0) > 0)
  await harness.assertIdle()
  await harness.store.close()
})

test('when every node is slow, nobody is passed over: the load is not sent round', async () => {
  const harness = createHarness()
  harness.shards.afflict(everyNode, { kind: 'slow', ms: 2 * SHARD_PUT_TIMEOUT_MS })
  for (const bytes of [SMALL, LARGE]) {
    const record = await harness.put('key', bytes)
    assert.deepEqual(record.blob?.relocations, [])
  }
  harness.shards.afflict(everyNode, { kind: 'hang' })
  const began = harness.clock.monotonicMs()
  await assert.rejects(harness.put('key', LARGE), { code: 'unwritable' })
  assert.equal(harness.clock.monotonicMs() - began, SHARD_PUT_TIMEOUT_MS_MAX)
  await harness.assertIdle()
  await harness.store.close()
})

test('slow nodes that are passed over leave no stripe lopsided: before it is refused, they are tried again', async () => {
  // With zone c down there are four nodes for six shards: none of them may hold three.
  const slow = { kind: 'slow', ms: 1.5 * SHARD_PUT_TIMEOUT_MS } as const
  const bytes = bytesOf(3 * MIB)
  for (const puts of [2, Number.POSITIVE_INFINITY]) {
    for (const pair of [
      ['a1', 'a2'],
      ['b1', 'b2'],
      ['a1', 'b1'],
    ]) {
      const harness = createHarness()
      for (const node of ['c1', 'c2']) harness.metadata.down.add(node)
      await harness.clock.pass(2000)
      harness.shards.afflict(['c1', 'c2'], DOWN)
      for (const node of pair) {
        let left = puts
        harness.shards.node(node).fault = (operation) =>
          operation === 'put' && left-- > 0 ? slow : undefined
      }
      const began = harness.clock.monotonicMs()
      const record = await harness.put('key', bytes)
      assert.ok(harness.clock.monotonicMs() - began < SHARD_PUT_TIMEOUT_MS_MAX)
      assert.deepEqual(harness.breaches, [])
      assert.equal(harness.metadata.repairs.length, 1)
      assert.ok((await harness.read(record)).equals(bytes))
      await harness.assertIdle()
      await harness.store.close()
    }
  }
})

test('a stripe that stays lopsided is refused in time, and nothing of it stays', async () => {
  const harness = createHarness()
  for (const node of ['c1', 'c2']) harness.metadata.down.add(node)
  await harness.clock.pass(2000)
  harness.shards.afflict(['c1', 'c2'], DOWN)
  harness.shards.afflict(['a1', 'b1'], { kind: 'hang' })
  const began = harness.clock.monotonicMs()
  await assert.rejects(harness.put('key', bytesOf(3 * MIB)), { code: 'unwritable' })
  assert.ok(harness.clock.monotonicMs() - began <= SHARD_PUT_TIMEOUT_MS_MAX)
  await harness.assertIdle()
  assert.equal(harness.shards.shardCount, 0)
  await harness.store.close()
})

test('a full disk is passed over for writes and still read from', async () => {
  const harness = createHarness()
  const before = await harness.put('before', LARGE)
  harness.shards.node('c1').fault = (operation) =>
    operation === 'put' ? { kind: 'fail', code: 'read-only' } : undefined
  const record = await harness.put('key', LARGE)
  assert.deepEqual(harness.breaches, [])
  assert.equal(new Set(record.blob?.relocations.map((run) => run.node)).has('c1'), false)
  const gets = harness.shards.node('c1').calls.get
  assert.ok((await harness.read(before)).equals(LARGE))
  assert.ok(harness.shards.node('c1').calls.get > gets)
  await harness.store.close()
})

test('a shard damaged on its way goes to another node; a put whose answer was lost may be there twice', async () => {
  for (const fault of [{ kind: 'corrupt' }, { kind: 'fail-after', code: 'unavailable' }] satisfies Fault[]) {
    const harness = createHarness()
    harness.shards.afflict(['a2'], fault)
    const record = await harness.put('key', LARGE)
    assert.deepEqual(harness.breaches, [])
    harness.shards.afflict(['a2'], undefined)
    assert.ok((await harness.read(record)).equals(LARGE))
    await harness.store.close()
  }
})

test('too much is down: nothing is acknowledged, nothing stays, and the error says come again', async () => {
  for (const [bytes, lost] of [
    [LARGE, ['a1', 'a2', 'b1', 'b2']],
    [SMALL, ['a1', 'a2', 'b1', 'b2', 'c1']],
    [LARGE, everyNode],
  ] as const) {
    const harness = createHarness()
    await harness.clock.pass(1)
    harness.shards.afflict(lost, DOWN)
    await assert.rejects(
      harness.put('key', bytes),
      (error) => error instanceof StoreError && error.code === 'unwritable',
    )
    await harness.assertIdle()
    assert.ok(!harness.metadata.asked.includes('commitObject'))
    assert.equal(harness.shards.shardCount, 0)
    // And writes go on when they come back.
    harness.shards.afflict(lost, undefined)
    await harness.clock.pass(20_000)
    const record = await harness.put('key', bytes)
    assert.deepEqual(record.blob?.relocations, [])
    await harness.store.close()
  }
})

test('one node for all shards, as on a laptop: healthy while it lives, unwritable when it does not', async () => {
  const harness = createHarness({ zones: 1, nodesPerZone: 1 })
  for (const bytes of [SMALL, LARGE]) {
    const record = await harness.put('key', bytes)
    assert.deepEqual(record.blob?.relocations, [])
    assert.ok((await harness.read(record)).equals(bytes))
  }
  harness.shards.afflict(['a1'], DOWN)
  await assert.rejects(harness.put('key', LARGE), { code: 'unwritable' })
  await harness.store.close()
})

test('three nodes, one down: rs-4-2 cannot lose another, so it is not acknowledged; replica-3 can', async () => {
  const harness = createHarness({ nodesPerZone: 1 })
  await harness.clock.pass(1)
  harness.shards.afflict(['b1'], DOWN)
  await assert.rejects(harness.put('large', LARGE), { code: 'unwritable' })
  const record = await harness.put('small', SMALL)
  assert.deepEqual(
    record.blob?.relocations.map((run) => run.node),
    [''],
  )
  assert.deepEqual(harness.breaches, [])
  assert.equal(harness.metadata.repairs.length, 1)
  await harness.store.close()
})

test('a node that knows a newer map makes the store look again and place by it', async () => {
  const harness = createHarness()
  await harness.clock.pass(1)
  // Slot by slot, b1 gives way to b2, which the store has not heard of yet.
  const moved = clusterMap({ epoch: 2 })
  for (const pool of moved.pools ?? []) {
    for (const group of pool.groups ?? []) {
      for (const slot of group.slots ?? []) {
        if (slot.node === 'b1') Object.assign(slot, { node: 'b2', source: 'b1' })
      }
    }
  }
  harness.metadata.map = create(ClusterMapSchema, moved)
  for (const node of harness.shards.nodes.values()) node.epoch = 2
  const looks = harness.metadata.asked.filter((operation) => operation === 'getCluster').length
  const record = await harness.put('key', LARGE)
  assert.equal(harness.metadata.asked.filter((operation) => operation === 'getCluster').length, looks + 1)
  assert.deepEqual(record.blob?.relocations, [])
  assert.deepEqual(harness.breaches, [])
  assert.equal(harness.shards.node('b1').shards.size, 0)
  assert.ok((await harness.read(record)).equals(LARGE))
  await harness.store.close()
})

test('a node that stays ahead of the map is passed over, not asked for ever', async () => {
  const harness = createHarness()
  harness.shards.node('b1').epoch = 99
  const record = await harness.put('key', LARGE)
  assert.ok((record.blob?.relocations.length ?? 0) > 0)
  assert.deepEqual(harness.breaches, [])
  assert.ok((await harness.read(record)).equals(LARGE))
  await harness.store.close()
})

test('a refused commit removes what was written and says why, overload being no different', async () => {
  for (const code of [FailureCode.PRECONDITION_FAILED, FailureCode.SLOW_DOWN]) {
    const harness = createHarness()
    harness.metadata.commitFault = { kind: 'refuse', code }
    await assert.rejects(
      harness.put('key', LARGE),
      (error) => error instanceof MetadataError && error.code === code,
    )
    await harness.assertIdle()
    assert.equal(harness.shards.shardCount, 0)
    await harness.store.close()
  }
})

test('a commit whose answer was lost is found again', async () => {
  for (const bytes of [new Uint8Array(0), SMALL, LARGE]) {
    const harness = createHarness()
    harness.metadata.commitFault = { kind: 'answer-lost' }
    const record = await harness.put('key', bytes)
    assert.ok((await harness.read(record)).equals(bytes))
    const part = await harness.clock.drive(
      harness.store.putPart({
        bucket: 'bucket',
        key: 'key',
        uploadId: 'upload',
        partNumber: 3,
        storageClass: 'STANDARD',
        content: contentOf(bytes),
      }),
    )
    assert.equal(part.partNumber, 3)
    assert.deepEqual(harness.breaches, [])
    await harness.store.close()
  }
})

test('a commit of unknown outcome is said to be unknown, is not sent twice, and keeps its shards', async () => {
  for (const fault of ['lost', 'overwritten'] as const) {
    const harness = createHarness()
    harness.metadata.commitFault = { kind: fault === 'lost' ? 'lost' : 'answer-lost' }
    const writing = harness.store.putObject(putRequest('key', contentOf(SMALL)))
    harness.metadata.onCommit = () => {
      // Somebody else's write comes between the commit and the first inquiry.
      if (fault === 'overwritten') queueMicrotask(() => harness.metadata.objects.delete('bucket/key'))
    }
    await assert.rejects(harness.clock.drive(writing), { code: 'unknown' })
    assert.equal(harness.metadata.asked.filter((operation) => operation === 'commitObject').length, 1)
    assert.equal(
      harness.metadata.asked.filter((operation) => operation === 'getObject').length,
      COMMIT_INQUIRY_PAUSES_MS.length,
    )
    await harness.assertIdle()
    assert.equal(harness.shards.shardCount, 3, 'they may have been acknowledged')
    await harness.store.close()
  }
})

test('metadata that stands still does not keep a write asking for ever', async () => {
  for (const operation of ['putObject', 'putPart'] as const) {
    const harness = createHarness()
    harness.metadata.commitFault = { kind: 'lost' }
    harness.metadata.silent.add('getObject').add('listParts')
    const began = harness.clock.monotonicMs()
    const content = contentOf(SMALL)
    const part = { bucket: 'bucket', key: 'key', uploadId: 'upload', partNumber: 3, storageClass: 'STANDARD' }
    const writing: Promise<unknown> =
      operation === 'putObject'
        ? harness.store.putObject(putRequest('key', content))
        : harness.store.putPart({ ...part, content })
    await assert.rejects(harness.clock.drive(writing), { code: 'unknown' })
    assert.ok(harness.clock.monotonicMs() - began <= COMMIT_INQUIRY_MS_MAX + 1000)
    await harness.assertIdle()
    assert.equal(harness.shards.shardCount, 3)
    await harness.store.close()
  }
})

test('a caller who gives up stops the write and leaves nothing, unless the commit was already sent', async () => {
  for (const bytes of [SMALL, LARGE]) {
    const harness = createHarness()
    harness.shards.afflict(everyNode, { kind: 'slow', ms: 500 })
    const controller = new AbortController()
    harness.clock.after(200, () => {
      controller.abort()
    })
    await assert.rejects(harness.put('key', bytes, { signal: controller.signal }), { name: 'AbortError' })
    await harness.assertIdle()
    assert.equal(harness.shards.shardCount, 0)
    assert.ok(!harness.metadata.asked.includes('commitObject'))
    await assert.rejects(harness.put('key', bytes, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    await harness.assertIdle()
    await harness.store.close()
  }
})
