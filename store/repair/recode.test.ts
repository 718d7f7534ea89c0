import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clone, create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeDataBytes } from '../../core/erasure/layout.ts'
import { ClusterMapSchema, PoolState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { RepairTaskSchema, type BlobRecord, type ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { clusterMap } from '../testing/cluster-map.ts'
import { contractBreach } from '../testing/contract-checker.ts'
import { DOWN } from '../testing/fake-shards.ts'
import { bytesOf, createHarness, type Harness } from '../testing/harness.ts'
import type { RecodeBlob } from './api.ts'

const MIB = 1024 * 1024
const NODES_PER_ZONE = 4
const SHAPE = { small: '', nodesPerZone: NODES_PER_ZONE }

/** The pools there are retire, and one of that code takes their place. */
async function changeCode({ metadata, clock }: Harness, code: string): Promise<void> {
  const map = clone(ClusterMapSchema, metadata.map)
  const { pools } = create(ClusterMapSchema, clusterMap({ ...SHAPE, large: code }))
  for (const pool of map.pools) pool.state = PoolState.RETIRING
  for (const pool of pools) {
    pool.id += map.pools.length
    for (const group of pool.groups) group.id += 65_536 * map.pools.length
  }
  map.pools.push(...pools)
  map.epoch++
  metadata.map = map
  await clock.pass(2000)
}

function requestOf(record: ObjectRecord, options: Partial<RecodeBlob> = {}): RecodeBlob {
  const { bucket, key, version, blob, storageClass } = record
  const place = { bucket, key, version, part: 0, annotation: '' }
  return { blob: blob ?? assert.fail('no blob'), place, storageClass, ...options }
}

function recode(harness: Harness, request: RecodeBlob, signal?: AbortSignal): Promise<BlobRecord> {
  return harness.clock.drive(harness.store.repair.recodeBlob(request, signal))
}

function assertContract({ metadata, shards }: Harness, blob: BlobRecord): void {
  const owed = create(RepairTaskSchema, { blob })
  assert.equal(contractBreach(metadata, shards, blob, [owed]), undefined)
}

function shardsOf({ shards }: Harness, blob: string): number {
  return [...shards.nodes.values()]
    .flatMap((node) => [...node.shards.keys()])
    .filter((key) => key.includes(blob)).length
}

test('a blob is the same after every change of code, whatever its size', async () => {
  const stripe = stripeDataBytes(parseCode('rs-8-4'))
  for (const size of [1, 4096, 70_000, 4 * MIB, stripe - 1, stripe, stripe + 1, 3 * stripe + 12_345]) {
    const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
    const bytes = bytesOf(size, size)
    let record = await harness.put('key', bytes)
    for (const code of ['rs-8-4', 'replica-3', 'rs-4-2']) {
      await changeCode(harness, code)
      const old = record.blob
      const commits = harness.metadata.asked.filter((operation) => operation !== 'getCluster').length
      const blob = await recode(harness, requestOf(record))
      assert.equal(harness.metadata.asked.filter((operation) => operation !== 'getCluster').length, commits)
      assert.notEqual(blob.id, old?.id)
      assert.deepEqual([blob.code, Number(blob.size), blob.relocations], [code, size, []])
      assertContract(harness, blob)
      assert.ok((await harness.read(record)).equals(bytes), 'the old one is left as it was')
      record = { ...record, blob }
      assert.ok((await harness.read(record)).equals(bytes))
      const owner = [...harness.shards.nodes.values()]
        .flatMap((node) => [...node.shards])
        .find(([key]) => key.includes(blob.id))?.[1].owner
      assert.deepEqual(owner, {
        bucket: 'bucket',
        key: 'key',
        version: record.version,
        part: 0,
        code,
        blobBytes: size,
      })
    }
    await harness.assertIdle()
    await harness.store.close()
  }
})

test('there is no blob of no bytes', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const request = requestOf(await harness.put('key', bytesOf(10)))
  await assert.rejects(recode(harness, { ...request, blob: { ...request.blob, size: 0n } }), RangeError)
  await harness.store.close()
})

test('it is read around damage, and written around nodes that are down, under the contract', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const bytes = bytesOf(20 * MIB + 5)
  const record = await harness.put('key', bytes)
  await changeCode(harness, 'rs-8-4')
  harness.shards.afflict(['a1'], { kind: 'corrupt' })
  harness.shards.afflict(['b2'], DOWN)
  const blob = await recode(harness, requestOf(record))
  assert.ok(blob.relocations.length > 0)
  assertContract(harness, blob)
  assert.ok((await harness.read({ ...record, blob })).equals(bytes))
  harness.shards.afflict(['a1', 'b2'], undefined)
  await harness.assertIdle()
  await harness.store.close()
})

test('too few nodes, an old blob that cannot be read, a signal: an error, and nothing is left of the new one', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const nodes = [...harness.shards.nodes.keys()]
  const record = await harness.put('key', bytesOf(9 * MIB))
  const before = harness.shards.shardCount
  await changeCode(harness, 'rs-8-4')
  const refuse = { kind: 'fail', code: 'read-only' } as const
  for (const id of nodes.slice(0, 10)) {
    harness.shards.node(id).fault = (operation) => (operation === 'put' ? refuse : undefined)
  }
  await assert.rejects(recode(harness, requestOf(record)), { code: 'unwritable' })
  harness.shards.afflict(nodes, undefined)
  await harness.assertIdle()
  assert.equal(harness.shards.shardCount, before)

  for (const id of nodes) {
    harness.shards.node(id).fault = (operation) => (operation === 'get' ? DOWN : undefined)
  }
  await assert.rejects(recode(harness, requestOf(record)), { code: 'unreadable' })
  harness.shards.afflict(nodes, { kind: 'slow', ms: 1000 })
  const controller = new AbortController()
  harness.clock.after(1500, () => {
    controller.abort()
  })
  await assert.rejects(recode(harness, requestOf(record), controller.signal), { name: 'AbortError' })
  harness.shards.afflict(nodes, undefined)
  await harness.assertIdle()
  assert.equal(harness.shards.shardCount, before)
  await harness.store.close()
})

test('a new blob that is not what was read is an error, unless nobody looks', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const record = await harness.put('key', bytesOf(9 * MIB))
  const before = harness.shards.shardCount
  await changeCode(harness, 'rs-8-4')
  for (const node of harness.shards.nodes.values()) {
    const put = node.put.bind(node)
    // Well-formed, but not what was sent.
    node.put = async (request, signal) => {
      const data = request.data.slice()
      if (request.address.shard === 0) data[100] = (data[100] ?? 0) ^ 1
      await put({ ...request, data, checksums: crc32cBlocks(data) }, signal)
    }
  }
  await assert.rejects(recode(harness, requestOf(record)), /is not what was read/)
  await harness.assertIdle()
  assert.equal(harness.shards.shardCount, before)
  const blob = await recode(harness, requestOf(record, { verify: false }))
  assert.equal(shardsOf(harness, blob.id), 24)
  await harness.store.close()
})

test('a blob whose record was refused is removed from wherever its shards are', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const record = await harness.put('key', bytesOf(9 * MIB))
  const before = harness.shards.shardCount
  await changeCode(harness, 'rs-8-4')
  harness.shards.afflict(['a2'], DOWN)
  const blob = await recode(harness, requestOf(record))
  assert.ok(blob.relocations.length > 0)
  await harness.clock.drive(harness.store.repair.discardBlob(blob))
  assert.equal(harness.shards.shardCount, before)
  await harness.store.close()
})

test('each stripe is paid for, before memory is held for it', async () => {
  const harness = createHarness({ ...SHAPE, large: 'rs-4-2' })
  const size = 20 * MIB
  const record = await harness.put('key', bytesOf(size))
  await changeCode(harness, 'rs-8-4')
  const paid: number[] = []
  const used: number[] = []
  const budget = {
    take: async (bytes: number) => {
      await harness.clock.sleep(10_000)
      paid.push(bytes)
      used.push(harness.store.cluster().memory.repairBytesUsed)
    },
  }
  await recode(harness, requestOf(record, { budget }))
  // Read, half as much again written, and read back: for stripes of 8, 8 and 4 MiB.
  assert.deepEqual(
    paid.map((bytes) => bytes / MIB),
    [28, 28, 14],
  )
  assert.deepEqual(used, [0, 0, 0])
  await harness.assertIdle()
  await harness.store.close()
})

test('many at once share the memory set aside, and each comes out right', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 12 * MIB }), { minLength: 2, maxLength: 5 }),
      async (sizes) => {
        const harness = createHarness({ ...SHAPE, large: 'rs-4-2' }, { repairMemoryBytes: 26 * MIB })
        const records = await Promise.all(
          sizes.map((size, i) => harness.put(`key-${i}`, bytesOf(size, i + 1))),
        )
        await changeCode(harness, 'rs-8-4')
        harness.shards.afflict(['a1'], { kind: 'corrupt' })
        const blobs = await Promise.all(records.map((record) => recode(harness, requestOf(record))))
        harness.shards.afflict(['a1'], undefined)
        for (const [i, record] of records.entries()) {
          const moved = { ...record, blob: blobs[i] ?? assert.fail() }
          assert.ok((await harness.read(moved)).equals(bytesOf(sizes[i] ?? 0, i + 1)))
        }
        await harness.assertIdle()
        await harness.store.close()
      },
    ),
    { numRuns: 4 },
  )
})
