/** Garbage collection over the fakes of the store. */

import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import {
  GARBAGE_DELETES_IN_FLIGHT_MAX,
  GARBAGE_DELETES_PER_S_MAX,
  GARBAGE_GRACE_MS,
  GARBAGE_PAGE_TASKS,
  GARBAGE_POLL_MS_MAX,
  GARBAGE_RETRY_MS_MAX,
} from '../../core/limits.ts'
import { BlobRecordSchema, type ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { FakeMetadata } from '../../store/testing/fake-metadata.ts'
import { DOWN, type FakeNode } from '../../store/testing/fake-shards.ts'
import { bytesOf, createHarness, seededRandom } from '../../store/testing/harness.ts'
import { Runner } from '../runner/runner.ts'
import { garbageJob } from './job.ts'
import type { GarbageView } from './plan.ts'

/** Time in which whatever can be done is done. */
const SETTLE_MS = GARBAGE_POLL_MS_MAX + 2 * GARBAGE_RETRY_MS_MAX

function watchOf(metadata: FakeMetadata): { view(): Promise<GarbageView> } {
  return {
    async view() {
      const { map, nodes } = await metadata.call('getCluster', {})
      const groups = map?.pools.flatMap((pool) => pool.groups) ?? []
      return {
        epoch: Number(map?.epoch ?? 0n),
        nodes: new Map(nodes.map(({ node, up }) => [node, { up }])),
        groups: new Map(groups.map(({ id, slots }) => [id, { slots }])),
      }
    },
  }
}

function setUp(t: TestContext | undefined, { seed = 1, graceMs = GARBAGE_GRACE_MS } = {}) {
  const harness = createHarness({ seed })
  const { metadata, shards, clock } = harness
  // Small blobs lie on three of the six nodes, one way or the other.
  for (const [index, { slots }] of (metadata.map.pools[0]?.groups ?? []).entries()) {
    if (index % 2 === 1) for (const slot of slots) slot.node = `${slot.node.slice(0, 1)}2`
  }
  const job = garbageJob({ metadata, shards, clock, log: silentLog, watch: watchOf(metadata), graceMs })
  const runners: Runner[] = []
  const start = (): Runner => {
    const random = seededRandom(seed + runners.length)
    const holder = `worker-${runners.length}`
    const runner = new Runner({ metadata, clock, random, log: silentLog, holder }, [job])
    runners.push(runner)
    return runner
  }
  const end = async (): Promise<void> => {
    for (const runner of runners) await clock.drive(runner.close())
    await clock.drive(harness.store.close())
  }
  t?.after(end)
  /** Nodes that hold something of the blob. */
  const holders = (object: ObjectRecord): string[] =>
    [...shards.nodes.values()].filter((node) => holds(node, object)).map(({ id }) => id)
  const afflict = (nodes: readonly string[], fault: Parameters<typeof shards.afflict>[1]) => {
    shards.afflict(nodes, fault)
  }
  return { ...harness, start, end, holders, afflict }
}

function holds(node: FakeNode, { blob }: ObjectRecord): boolean {
  return [...node.shards.keys()].some((key) => key.split('/')[1] === blob?.id)
}

test('what was overwritten or deleted stays for the grace and goes then; what is live stays', async (t) => {
  const { put, read, metadata, clock, start, holders } = setUp(t)
  start()
  const bytes = bytesOf(300_000, 7)
  const kept = await put('kept', bytes)
  const replaced = await put('k', bytesOf(100_000))
  const small = await put('s', bytesOf(10))
  const current = await put('k', bytes)
  metadata.remove('bucket', 's')
  const before = [holders(replaced), holders(small)]
  assert.deepEqual(
    before.map((nodes) => nodes.length),
    [6, 3],
  )
  await clock.pass(GARBAGE_GRACE_MS - 100)
  assert.deepEqual([holders(replaced), holders(small)], before)
  await clock.pass(GARBAGE_POLL_MS_MAX)
  assert.deepEqual([holders(replaced), holders(small)], [[], []])
  assert.deepEqual(metadata.blobs.outbox, [])
  assert.ok((await read(kept)).equals(bytes) && (await read(current)).equals(bytes))
})

test('a worker that ended between delete and acknowledgement: the next one does it again, and nothing is left', async (t) => {
  const { put, metadata, clock, start, holders } = setUp(t)
  const first = start()
  const gone = await put('k', bytesOf(100_000))
  metadata.remove('bucket', 'k')
  metadata.silent.add('acknowledgeOutbox')
  await clock.pass(GARBAGE_GRACE_MS + GARBAGE_POLL_MS_MAX)
  assert.deepEqual(holders(gone), [])
  assert.equal(metadata.blobs.outbox.length, 1)
  await clock.drive(first.close())
  metadata.silent.clear()
  start()
  await clock.pass(GARBAGE_POLL_MS_MAX)
  assert.deepEqual(metadata.blobs.outbox, [])
})

test('every outbox is gone through; one whose owner is away holds up none of the others', async (t) => {
  const { put, metadata, clock, start, holders } = setUp(t)
  metadata.blobs.outboxes = [1n, 5n, 9n]
  start()
  const gone = []
  for (let count = 0; count < 9; count++) gone.push(await put(`k${count}`, bytesOf(10, count)))
  metadata.blobs.unreadable.add(5n)
  for (const { key } of gone) metadata.remove('bucket', key)
  await clock.pass(GARBAGE_GRACE_MS + GARBAGE_POLL_MS_MAX)
  const left = gone.filter((object) => holders(object).length > 0)
  assert.deepEqual([left.length, metadata.blobs.outbox.length], [3, 3])
  metadata.blobs.unreadable.clear()
  await clock.pass(GARBAGE_POLL_MS_MAX)
  assert.deepEqual([metadata.blobs.outbox, gone.flatMap(holders)], [[], []])
})

test('an outbox that comes to be is found', async (t) => {
  const { put, metadata, clock, start, holders } = setUp(t)
  start()
  await clock.pass(GARBAGE_POLL_MS_MAX)
  metadata.blobs.outboxes = [7n]
  const gone = await put('k', bytesOf(10))
  metadata.remove('bucket', 'k')
  await clock.pass(GARBAGE_GRACE_MS + GARBAGE_POLL_MS_MAX)
  assert.deepEqual([holders(gone), metadata.blobs.outbox], [[], []])
})

test('nodes that are down are not waited for', async (t) => {
  const { put, metadata, clock, start, holders, afflict } = setUp(t)
  const gone = await put('k', bytesOf(100_000))
  metadata.remove('bucket', 'k')
  metadata.down.add('b1')
  afflict(['b1'], DOWN)
  start()
  await clock.pass(GARBAGE_GRACE_MS + GARBAGE_POLL_MS_MAX)
  assert.deepEqual(holders(gone), ['b1'])
  assert.deepEqual(metadata.blobs.outbox, [])
})

test('a node that is up and fails keeps its tasks and holds up no others; what is done elsewhere is not done again', async (t) => {
  const { put, metadata, shards, clock, start, holders, afflict } = setUp(t)
  const gone = []
  for (let count = 0; count < 40; count++) gone.push(await put(`k${count}`, bytesOf(10, count)))
  for (const { key } of gone) metadata.remove('bucket', key)
  const failing = gone.filter((object) => holders(object).includes('a1'))
  assert.ok(failing.length > 5 && failing.length < 40)
  afflict(['a1'], { kind: 'hang' })
  start()
  await clock.pass(GARBAGE_GRACE_MS + SETTLE_MS)
  assert.equal(metadata.blobs.outbox.length, failing.length)
  for (const object of gone) assert.deepEqual(holders(object), failing.includes(object) ? ['a1'] : [])
  const elsewhere = shards.node('b1').calls.deleteBlob
  await clock.pass(4 * 60_000)
  // The lease's turns begin anew now and then, knowing nothing; in between nothing is repeated.
  assert.ok(shards.node('b1').calls.deleteBlob - elsewhere <= failing.length * 2)
  afflict(['a1'], undefined)
  await clock.pass(SETTLE_MS)
  assert.deepEqual(metadata.blobs.outbox, [])
  for (const object of gone) assert.deepEqual(holders(object), [])
})

test('one blob that can never be deleted does not keep those behind it on its node', async (t) => {
  const { put, metadata, shards, clock, start, holders } = setUp(t)
  const gone = []
  for (let count = 0; count < 20; count++) gone.push(await put(`k${count}`, bytesOf(100_000, count)))
  for (const { key } of gone) metadata.remove('bucket', key)
  const [poison, ...others] = gone
  shards.node('c2').fault = (_, { blob }) => (blob === poison?.blob?.id ? DOWN : undefined)
  start()
  await clock.pass(GARBAGE_GRACE_MS + SETTLE_MS)
  for (const object of others) assert.deepEqual(holders(object), [])
  assert.equal(metadata.blobs.outbox.length, 1)
})

test('a long backlog is gone through in its order, a page and a bounded number of deletes at a time', async (t) => {
  const { metadata, shards, clock, start } = setUp(t)
  const [group] = metadata.map.pools[1]?.groups ?? []
  const count = 20 * GARBAGE_PAGE_TASKS + 3
  for (let index = 0; index < count; index++) {
    const id = index.toString(16).padStart(32, '0')
    metadata.blobs.discard('bucket', 'k', [create(BlobRecordSchema, { id, group: group?.id ?? 0 })])
  }
  const order: string[] = []
  let inFlight = 0
  let most = 0
  for (const node of shards.nodes.values()) {
    const original = node.deleteBlob.bind(node)
    node.deleteBlob = async (...request) => {
      most = Math.max(most, ++inFlight)
      if (node.id === group?.slots[0]?.node) order.push(request[1])
      await clock.sleep(20)
      inFlight--
      return original(...request)
    }
  }
  start()
  await clock.pass(GARBAGE_GRACE_MS)
  assert.deepEqual(order, [])
  const began = clock.monotonicMs()
  while (metadata.blobs.outbox.length > 0) await clock.pass(1000)
  assert.ok(most > GARBAGE_DELETES_IN_FLIGHT_MAX / 2 && most <= GARBAGE_DELETES_IN_FLIGHT_MAX, `${most}`)
  assert.deepEqual(
    order,
    order.toSorted((a, b) => (a < b ? -1 : 1)),
  )
  assert.equal(order.length, count)
  assert.ok(clock.monotonicMs() - began >= ((count * 6) / GARBAGE_DELETES_PER_S_MAX) * 1000 - 1000)
})

test('whatever befalls nodes and workers, live objects keep every shard, and nothing that is garbage stays on nodes that were up', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key: fc.nat(3), size: fc.constantFrom(1, 40_000) }),
    fc.record({ kind: fc.constant('remove' as const), key: fc.nat(3) }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1000, GARBAGE_GRACE_MS) }),
    fc.record({
      kind: fc.constant('fault' as const),
      node: fc.constantFrom('a1', 'b2', 'c1'),
      fault: fc.constantFrom(undefined, 'fail', 'fail-after', 'slow'),
    }),
    fc.record({ kind: fc.constant('restart' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(1000), async (steps, seed) => {
      const scene = setUp(undefined, { seed: seed + 1 })
      const { metadata, shards, clock } = scene
      let runner = scene.start()
      for (const todo of steps) {
        switch (todo.kind) {
          case 'put':
            await scene.put(`k${todo.key}`, bytesOf(todo.size, todo.key))
            break
          case 'remove':
            metadata.remove('bucket', `k${todo.key}`)
            break
          case 'pass':
            await clock.pass(todo.ms)
            break
          case 'restart':
            await clock.drive(runner.close())
            runner = scene.start()
            break
          case 'fault': {
            const { fault } = todo
            // Deletes alone: what befalls writes is tested elsewhere.
            shards.node(todo.node).fault = (operation) => {
              if (operation !== 'deleteBlob' || fault === undefined) return undefined
              return fault === 'slow' ? { kind: 'slow', ms: 700 } : { kind: fault, code: 'unavailable' }
            }
          }
        }
      }
      shards.afflict(shards.nodes.keys(), undefined)
      await clock.pass(GARBAGE_GRACE_MS + SETTLE_MS)
      assert.deepEqual(metadata.blobs.outbox, [])
      const live = new Set([...metadata.objects.values()].map(({ blob }) => blob?.id))
      for (const node of shards.nodes.values()) {
        for (const key of node.shards.keys()) {
          assert.ok(live.has(key.split('/')[1]), `${key} stays on ${node.id}`)
        }
      }
      for (const object of metadata.objects.values()) {
        assert.equal(scene.holders(object).length, Number(object.size) > 32_768 ? 6 : 3)
      }
      await scene.end()
    }),
    { numRuns: 25 },
  )
})
