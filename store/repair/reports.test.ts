import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  METADATA_REQUEST_TIMEOUT_MS,
  REPAIR_HINT_QUIET_MS,
  REPAIR_HINT_SEND_MS,
  REPAIR_HINTS_QUEUED_MAX,
  REPAIR_REQUESTS_MAX,
} from '../../core/limits.ts'
import { ClusterMapSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { BlobRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { clusterMap } from '../testing/cluster-map.ts'
import { FakeMetadata } from '../testing/fake-metadata.ts'
import { DOWN, type Fault } from '../testing/fake-shards.ts'
import { bytesOf, collect, contentOf, createHarness, type Harness } from '../testing/harness.ts'
import { keyOf } from '../testing/repair-scene.ts'
import { SimulatedClock } from '../testing/simulated-clock.ts'
import { RepairReports } from './reports.ts'

const LARGE = bytesOf(300_000)
const SMALL = bytesOf(5000)

/** The node that a read of shard `shard` asks first. */
function nodeOf({ metadata }: Harness, blob: BlobRecord | undefined, shard: number): string {
  const groups = metadata.map.pools.flatMap((pool) => pool.groups)
  const slot = groups.find(({ id }) => id === blob?.group)?.slots[shard]
  return slot?.node ?? assert.fail('no slot')
}

function loseShard(harness: Harness, blob: BlobRecord | undefined, shard: number): void {
  const node = harness.shards.node(nodeOf(harness, blob, shard))
  for (const key of node.shards.keys()) {
    if (key.includes(blob?.id ?? '') && key.endsWith(`/0/${shard}`)) node.shards.delete(key)
  }
}

async function told(harness: Harness) {
  await harness.clock.pass(REPAIR_HINT_SEND_MS + 1)
  return harness.metadata.requestedRepairs.flat()
}

test('a read that went round a shard which is missing or damaged on a node that is up has it told, once', async () => {
  const damages: ((harness: Harness, record: ObjectRecord) => void)[] = [
    (harness, { blob }) => {
      loseShard(harness, blob, 1)
    },
    (harness, { blob }) => {
      const address = { group: blob?.group ?? 0, blob: blob?.id ?? '', stripe: 0, shard: 1 }
      harness.shards.node(nodeOf(harness, blob, 1)).damage(address)
    },
    (harness, { blob }) => {
      harness.shards.afflict([nodeOf(harness, blob, 1)], { kind: 'corrupt' })
    },
  ]
  for (const damage of damages) {
    for (const bytes of [LARGE, SMALL]) {
      const harness = createHarness()
      const record = await harness.put('key', bytes)
      assert.ok((await harness.read(record)).equals(bytes))
      assert.deepEqual(await told(harness), [])
      damage(harness, record)
      // Copies are read in turn.
      for (let i = 0; i < 6; i++) assert.ok((await harness.read(record)).equals(bytes))
      const tasks = await told(harness)
      assert.equal(tasks.length, 1)
      const [task] = tasks
      assert.deepEqual(
        [task?.bucket, task?.key, task?.version, task?.part, task?.annotation],
        ['bucket', 'key', record.version, 0, ''],
      )
      assert.deepEqual(task?.blob, record.blob)
      for (let i = 0; i < 6; i++) await harness.read(record)
      assert.equal((await told(harness)).length, 1, 'not again so soon')
      await harness.clock.pass(REPAIR_HINT_QUIET_MS)
      for (let i = 0; i < 6; i++) await harness.read(record)
      assert.equal((await told(harness)).length, 2, 'but when it is still so much later')
      await harness.assertIdle()
      await harness.store.close()
    }
  }
})

test('what is slow, silent, down or refuses is nothing to repair', async () => {
  const ailments: Fault[] = [
    DOWN,
    { kind: 'hang' },
    { kind: 'slow', ms: 3000 },
    { kind: 'fail', code: 'invalid' },
    { kind: 'fail', code: 'unauthenticated' },
  ]
  for (const ailment of ailments) {
    const harness = createHarness()
    const record = await harness.put('key', LARGE)
    harness.shards.afflict([nodeOf(harness, record.blob, 1)], ailment)
    for (let i = 0; i < 3; i++) assert.ok((await harness.read(record)).equals(LARGE))
    assert.deepEqual(await told(harness), [])
    await harness.store.close()
  }
  // Its lease has ended: it may be back without its disk, which is for others to find out.
  const harness = createHarness()
  const record = await harness.put('key', LARGE)
  loseShard(harness, record.blob, 1)
  harness.metadata.down.add(nodeOf(harness, record.blob, 1))
  await harness.clock.pass(2000)
  for (let i = 0; i < 3; i++) await harness.read(record)
  assert.deepEqual(await told(harness), [])
  await harness.store.close()
})

test('what is owed a repair already, or found where its slot moves from, is not told', async () => {
  const harness = createHarness()
  harness.shards.afflict(['a1'], DOWN)
  const owed = await harness.put('owed', LARGE)
  assert.ok((owed.blob?.relocations.length ?? 0) > 0)
  harness.shards.afflict(['a1'], undefined)
  const whole = await harness.put('whole', LARGE)
  await harness.clock.pass(20_000)
  const { group, id, relocations } = owed.blob ?? assert.fail('no blob')
  for (const { node, shard } of relocations) {
    harness.shards.node(node).shards.delete(keyOf({ group, blob: id, stripe: 0, shard }))
  }
  const moved = create(ClusterMapSchema, clusterMap({ epoch: 2 }))
  for (const pool of moved.pools) {
    for (const { slots } of pool.groups) {
      for (const slot of slots) if (slot.node === 'b1') Object.assign(slot, { node: 'b9', source: 'b1' })
    }
  }
  const [node] = moved.nodes
  if (node !== undefined) moved.nodes.push({ ...node, id: 'b9', zone: 'b' })
  harness.metadata.map = moved
  await harness.clock.pass(2000)
  assert.ok((await harness.read(whole)).equals(LARGE))
  assert.ok((await harness.read(owed)).equals(LARGE))
  assert.deepEqual(await told(harness), [])
  await harness.store.close()
})

test('parts are told by their number, and annotations by their name', async () => {
  const harness = createHarness()
  const { clock, store, metadata } = harness
  const upload = { bucket: 'bucket', key: 'key', uploadId: 'upload', storageClass: 'STANDARD' }
  const parts = []
  for (const partNumber of [1, 4]) {
    parts.push(await clock.drive(store.putPart({ ...upload, partNumber, content: contentOf(LARGE) })))
  }
  const base = await harness.put('key', new Uint8Array(0))
  const object = {
    ...base,
    version: 'upload',
    size: BigInt(2 * LARGE.length),
    manifest: { $typeName: 'ashlar.v1.Manifest' as const, partCount: 2, pageOffsets: [0n] },
  }
  metadata.pages.set('upload', [{ $typeName: 'ashlar.v1.ManifestPage', format: 1, parts }])
  loseShard(harness, parts[1]?.blob, 0)
  assert.equal((await harness.read(object)).length, 2 * LARGE.length)
  const { annotation } = await clock.drive(
    store.putAnnotation({ object: base, name: 'notes', content: contentOf(LARGE) }),
  )
  loseShard(harness, annotation.blob, 0)
  await clock.drive(collect(store.readAnnotation(base, annotation)))
  const tasks = (await told(harness)).map(({ version, part, annotation: name, blob }) => {
    return { version, part, name, blob: blob?.id }
  })
  assert.deepEqual(tasks, [
    { version: 'upload', part: 4, name: '', blob: parts[1]?.blob?.id },
    { version: base.version, part: 0, name: 'notes', blob: annotation.blob?.id },
  ])
  await store.close()
})

function bare() {
  const clock = new SimulatedClock()
  const metadata = new FakeMetadata(clusterMap())
  const reports = new RepairReports({ metadata, clock, log: silentLog })
  const report = (from: number, to: number): void => {
    for (let i = from; i < to; i++) reports.report(`blob-${i}`, () => ({ key: `key-${i}` }))
  }
  return { clock, metadata, reports, report }
}

test('many are told in batches, one a second, and no more wait than there is room for', async () => {
  const { clock, metadata, reports, report } = bare()
  report(0, REPAIR_HINTS_QUEUED_MAX + 50)
  await clock.pass(REPAIR_HINT_SEND_MS - 1)
  assert.equal(metadata.requestedRepairs.length, 0)
  await clock.pass(2)
  assert.equal(metadata.requestedRepairs.length, 1)
  await clock.pass(REPAIR_HINT_SEND_MS)
  assert.equal(metadata.requestedRepairs.length, 2)
  await clock.pass(60_000)
  assert.ok(metadata.requestedRepairs.every((tasks) => tasks.length === REPAIR_REQUESTS_MAX))
  assert.equal(metadata.requestedRepairs.length, REPAIR_HINTS_QUEUED_MAX / REPAIR_REQUESTS_MAX)
  await reports.close()
})

test('what metadata does not hear is dropped, and told when it is found again', async () => {
  const { clock, metadata, reports, report } = bare()
  metadata.unreachable = true
  report(0, 3)
  await clock.pass(REPAIR_HINT_SEND_MS + 1)
  metadata.unreachable = false
  await clock.pass(60_000)
  assert.equal(metadata.requestedRepairs.length, 0)
  metadata.silent.add('requestRepair')
  report(0, 1)
  await clock.pass(REPAIR_HINT_SEND_MS + METADATA_REQUEST_TIMEOUT_MS + 1)
  metadata.silent.clear()
  report(0, 2)
  await clock.pass(REPAIR_HINT_SEND_MS + 1)
  assert.deepEqual(
    metadata.requestedRepairs.flat().map(({ key }) => key),
    ['key-0', 'key-1'],
  )
  await reports.close()
})

test('closing waits for nothing: what is queued is dropped, what is on its way is given up', async () => {
  const { clock, metadata, reports, report } = bare()
  metadata.silent.add('requestRepair')
  report(0, 1)
  await clock.pass(REPAIR_HINT_SEND_MS + 1)
  report(1, 2)
  const began = clock.monotonicMs()
  await clock.drive(reports.close())
  report(2, 3)
  assert.equal(clock.monotonicMs(), began)
  metadata.silent.clear()
  // Were a timer left, time could pass on it.
  await clock.pass(60_000)
  assert.deepEqual(metadata.requestedRepairs, [])
})
