/** Repair and moves over real storage nodes and real metadata: every test ends with everything read back and every shard in its place. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOB_ORPHAN_AGE_MS_MIN, GROUP_AGEING_MS } from '../../core/limits.ts'
import { MemberState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { WholeCluster } from './cluster.ts'

test('a node lost for good: its slots go to others, and all that it held is made again there', async () => {
  const cluster = await WholeCluster.start({ seed: 1 })
  await cluster.startWorker('one')
  await cluster.fill('before', 16)
  cluster.down.add('b2')
  await cluster.clock.pass(5000)
  await cluster.fill('during', 8)
  await cluster.until('slots move', () => cluster.moving())
  await cluster.fill('after', 8)
  await cluster.untilWhole()
  assert.ok(
    !JSON.stringify(
      (await cluster.map()).pools.map(({ groups }) =>
        groups.map(({ slots }) => slots.map(({ node }) => node)),
      ),
    ).includes('b2'),
  )
  await cluster.assertWhole()
  await cluster.close()
})

test('a node is drained while writes go on, and holds nothing in the end', async () => {
  const cluster = await WholeCluster.start({ seed: 2 })
  await cluster.startWorker('one')
  await cluster.fill('before', 20)
  await cluster.change({ case: 'changeNode', value: { id: 'a1', state: MemberState.DRAINING } })
  await cluster.fill('during', 20)
  await cluster.untilWhole()
  assert.deepEqual(await cluster.shardsOf('a1'), [])
  await cluster.assertWhole()
  await cluster.close()
})

test('a node that comes back after deletes gets what it missed, and loses what was deleted', async () => {
  const cluster = await WholeCluster.start({ seed: 3, graceMs: 3_600_000 })
  await cluster.startWorker('one')
  await cluster.fill('old', 16)
  cluster.down.add('c1')
  await cluster.clock.pass(8000)
  for (let i = 0; i < 8; i++) await cluster.delete(`old${i}`)
  await cluster.fill('new', 8)
  // Garbage is collected on the nodes that are up.
  await cluster.clock.pass(60_000)
  cluster.down.delete('c1')
  await cluster.clock.pass(20_000)
  const stale = await cluster.flaws()
  assert.ok(stale.length > 0 && stale.every((flaw) => flaw.endsWith('is too many on c1')), stale.join('; '))
  cluster.aheadMs = BLOB_ORPHAN_AGE_MS_MIN + 60_000
  await cluster.untilWhole(10 * GROUP_AGEING_MS)
  await cluster.assertWhole()
  await cluster.close()
})

test('degraded writes of a whole zone are repaired when it is back', async () => {
  const cluster = await WholeCluster.start({ seed: 4, graceMs: 3_600_000 })
  await cluster.startWorker('one')
  await cluster.clock.pass(2000)
  for (const id of ['a1', 'a2', 'a3']) cluster.down.add(id)
  await cluster.clock.pass(8000)
  await cluster.fill('during', 16)
  await cluster.assertReadable()
  await cluster.clock.pass(60_000)
  cluster.down.clear()
  await cluster.untilWhole()
  await cluster.until('no repair is owed', async () => {
    const { repairBacklog } = await cluster.clock.drive(cluster.metadata.call('getCluster', {}))
    return repairBacklog === 0n
  })
  await cluster.assertWhole()
  await cluster.close()
})

test('parts of uploads and annotations are repaired, moved and written by another code as objects are', async () => {
  const cluster = await WholeCluster.start({ seed: 7, graceMs: 3_600_000 })
  await cluster.startWorker('one')
  await cluster.clock.pass(2000)
  cluster.down.add('b1')
  await cluster.clock.pass(8000)
  await cluster.putParts('first', [300_000, 5000])
  await cluster.putParts('second', [5_000_000])
  assert.ok((await cluster.blobs()).some(({ blob }) => blob.relocations.length > 0))
  cluster.down.delete('b1')
  await cluster.untilWhole()
  await cluster.change({ case: 'changeNode', value: { id: 'b2', state: MemberState.DRAINING } })
  await cluster.untilWhole()
  await cluster.change({ case: 'changePool', value: { name: 'standard', code: 'rs-2-1', groups: 8 } })
  await cluster.until('the old pool is gone', async () => (await cluster.map()).pools.length === 2)
  await cluster.untilWhole()
  assert.ok((await cluster.blobs()).every(({ blob }) => blob.code !== 'rs-4-2'))
  await cluster.assertWhole()
  await cluster.close()
})

test('orphans of a write whose commit was lost stay while it may still come, and go afterwards', async () => {
  const cluster = await WholeCluster.start({ seed: 5 })
  await cluster.fill('key', 8)
  await cluster.putInVain('vain', 300_000)
  await cluster.putInVain('vain', 100)
  await cluster.startWorker('one', { deepPassMs: 60_000 })
  const orphaned = (await cluster.flaws()).length
  assert.equal(orphaned, 9)
  cluster.aheadMs = BLOB_ORPHAN_AGE_MS_MIN - 600_000
  await cluster.clock.pass(300_000)
  assert.equal((await cluster.flaws()).length, orphaned)
  cluster.aheadMs = BLOB_ORPHAN_AGE_MS_MIN
  await cluster.untilWhole()
  await cluster.assertWhole()
  await cluster.close()
})

test('shards that a node finds damaged are made again there', async () => {
  const cluster = await WholeCluster.start({ seed: 6 })
  await cluster.startWorker('one')
  await cluster.fill('key', 16)
  let damaged = 0
  for (const id of ['a1', 'b2']) {
    const [node, disk] = [cluster.nodes.get(id), cluster.disks.get(id)]
    assert.ok(node !== undefined && disk !== undefined)
    await cluster.clock.drive(flipBit(disk))
    // As a scrub does.
    for (const { address } of await cluster.shardsOf(id)) {
      const read = node.get({ address, epoch: 1 })
      const failed = await cluster.clock.drive(
        read.then(
          () => 0,
          () => 1,
        ),
      )
      damaged += failed
    }
  }
  assert.ok(damaged > 0)
  await cluster.until('it is known', async () => (await cluster.flaws()).length > 0)
  await cluster.untilWhole()
  await cluster.assertWhole()
  await cluster.close()
})

/** Flips a bit in the middle of the only segment. */
async function flipBit(disk: MemoryDisk): Promise<void> {
  const [name] = (await disk.list('segments')).filter((one) => !one.startsWith('.'))
  assert.ok(name !== undefined)
  const file = await disk.open(`segments/${name}`)
  const at = Math.floor((await file.size()) / 2)
  const byte = new Uint8Array(1)
  await file.read(byte, at)
  await file.write([Uint8Array.of((byte[0] ?? 0) ^ 1)], at)
  await file.close()
}

for (const seed of [11, 12, 13]) {
  test(`another code, while workers end at any moment (seed ${seed})`, async () => {
    const cluster = await WholeCluster.start({ seed })
    await cluster.fill('old', 16)
    await cluster.change({ case: 'changePool', value: { name: 'standard', code: 'rs-2-1', groups: 8 } })
    await cluster.fill('new', 4)
    for (let round = 0; round < 6; round++) {
      const worker = await cluster.startWorker(`worker-${round}`, { repairBytesPerS: 1_000_000 })
      await cluster.clock.pass(300 * ((seed * 7 + round * 5) % 13))
      await cluster.put(`during${round}`, 200_000)
      await cluster.stopWorker(worker)
    }
    await cluster.startWorker('last')
    await cluster.until('the old pool is gone', async () => (await cluster.map()).pools.length === 2)
    await cluster.untilWhole()
    for (const { code } of (await cluster.map()).pools) assert.ok(code !== 'rs-4-2')
    await cluster.assertWhole()
    await cluster.close()
  })
}
