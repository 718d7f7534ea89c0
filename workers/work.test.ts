/** Everything that background work promises, over nodes and metadata that do as they are told. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOB_ORPHAN_AGE_MS_MIN, GROUP_AGEING_MS } from '../core/limits.ts'
import { createWorkScene } from './testing/scene.ts'

const SHAPE = { zones: 3, nodesPerZone: 3, groups: 4 }

test('a healthy cluster is left alone', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 12)
  const before = scene.shards.shardCount
  await scene.start()
  await scene.clock.pass(60_000)
  assert.equal(scene.shards.shardCount, before)
  assert.ok(!scene.metadata.asked.includes('resolveBlobs'), 'nobody asks about blobs that are whole')
  await scene.assertWhole()
  await scene.end()
})

test('degraded writes are made whole when their nodes are back, relocations go, and the tasks with them', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.start()
  await scene.clock.pass(2000)
  scene.setDown('a1', 'b2')
  await scene.clock.pass(2000)
  await scene.fill('key', 20)
  assert.ok(scene.metadata.blobs.outbox.length > 0)
  await scene.clock.pass(60_000)
  assert.ok(scene.metadata.blobs.outbox.length > 0, 'they wait')
  scene.setDown()
  await scene.until('all whole', () => scene.flaws().length === 0 && scene.metadata.blobs.outbox.length === 0)
  await scene.assertWhole()
  await scene.end()
})

test('a node lost for good and substituted is rebuilt from the others', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 20)
  await scene.start()
  scene.setDown('b1')
  scene.move('b1', 'b3', { source: false })
  await scene.until('no slot moves', () => !scene.moving())
  scene.shards.node('b1').shards.clear()
  await scene.until('all whole', () => scene.flaws().length === 0)
  await scene.assertWhole()
  await scene.end()
})

test('a node is drained while writes go on: copies, then the source is dropped, then emptied', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('before', 16)
  await scene.start()
  scene.move('c1', 'c3', { source: true })
  await scene.fill('during', 16)
  await scene.until('no slot moves', () => !scene.moving())
  await scene.until('all whole', () => scene.flaws().length === 0)
  assert.equal(scene.shards.node('c1').shards.size, 0)
  await scene.assertWhole()
  await scene.end()
})

test('what was deleted while a node was away goes when it is back, and what it missed comes', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 12)
  await scene.start()
  await scene.clock.pass(2000)
  scene.setDown('a2')
  await scene.clock.pass(2000)
  for (const i of [0, 1, 2, 3, 4, 5]) {
    const record = scene.metadata.objects.get(`bucket/key${i}`)
    scene.metadata.objects.delete(`bucket/key${i}`)
    // As the garbage worker does, on the nodes that are up.
    for (const node of scene.shards.nodes.values()) {
      if (node.id !== 'a2') await node.deleteBlob(record?.blob?.group ?? 0, record?.blob?.id ?? '')
    }
  }
  scene.setDown()
  await scene.clock.pass(20_000)
  const stale = scene.flaws()
  assert.ok(stale.length > 0 && stale.every((flaw) => flaw.endsWith('is too many on a2')), 'young as yet')
  scene.metadata.aheadMs = BLOB_ORPHAN_AGE_MS_MIN + 60_000
  await scene.until('all whole', () => scene.flaws().length === 0, 2 * GROUP_AGEING_MS)
  await scene.assertWhole()
  await scene.end()
})

test('damage that a node found is repaired', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 12)
  await scene.start()
  let damaged = 0
  for (const node of ['a1', 'b3', 'c2']) {
    const [at = ''] = scene.shards.node(node).shards.keys()
    const [group, blob = '', stripe, shard] = at.split('/')
    if (at === '') continue
    scene.shards
      .node(node)
      .damage({ group: Number(group), blob, stripe: Number(stripe), shard: Number(shard) })
    damaged++
  }
  assert.ok(damaged > 0)
  await scene.until('all whole', () => scene.flaws().length === 0)
  await scene.assertWhole()
  await scene.end()
})

test('least redundancy first: of a node and a zone that are lost, blobs that lost both come first', async () => {
  const scene = createWorkScene({ zones: 3, nodesPerZone: 2, groups: 1, large: 'rs-4-2', small: '' })
  await scene.fill('key', 24, [200_000])
  const blobs = [...scene.metadata.objects.values()].flatMap(({ blob }) => (blob === undefined ? [] : [blob]))
  // All lose one shard, every third two.
  const worse = new Set(blobs.filter((_, i) => i % 3 === 0).map(({ id }) => id))
  const slots = scene.metadata.map.pools[0]?.groups[0]?.slots ?? []
  const lose = (shard: number, of: (id: string) => boolean): void => {
    const node = scene.shards.node(slots[shard]?.node ?? '')
    for (const at of node.shards.keys()) if (of(at.split('/')[1] ?? '')) node.shards.delete(at)
  }
  lose(0, () => true)
  lose(3, (id) => worse.has(id))
  const order: string[] = []
  for (const node of scene.shards.nodes.values()) {
    node.fault = (operation, { blob }) => {
      if (operation === 'put' && !order.includes(blob)) order.push(blob)
      return undefined
    }
  }
  await scene.start({ bytesPerS: 1_000_000 })
  await scene.until('all whole', () => scene.flaws().length === 0)
  // Some are made at once, so that neighbours may change places.
  const late = order.findLastIndex((blob) => worse.has(blob))
  assert.ok(late < worse.size + 4, `the last of ${worse.size} came at ${late}`)
  await scene.assertWhole()
  await scene.end()
})

test('orphans of failed writes go when they are old enough, and not before', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 4)
  const kept = scene.shards.shardCount
  scene.metadata.commitFault = { kind: 'lost' }
  await assert.rejects(scene.put('lost', new Uint8Array(300_000)))
  await assert.rejects(scene.put('lost', new Uint8Array(100)))
  scene.metadata.commitFault = undefined
  await scene.clock.pass(60_000)
  const withOrphans = scene.shards.shardCount
  assert.ok(withOrphans > kept)
  // Whole as they are, only a deep pass asks about them.
  await scene.start({ deepPassMs: 60_000 })
  scene.metadata.aheadMs = BLOB_ORPHAN_AGE_MS_MIN - 600_000
  await scene.clock.pass(180_000)
  assert.equal(scene.shards.shardCount, withOrphans)
  scene.metadata.aheadMs = BLOB_ORPHAN_AGE_MS_MIN
  await scene.until('all whole', () => scene.flaws().length === 0)
  assert.equal(scene.shards.shardCount, kept)
  await scene.assertWhole()
  await scene.end()
})

test('a worker that is killed at any moment leaves what the next one brings to its end', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const scene = createWorkScene({ ...SHAPE, seed })
    await scene.fill('key', 10)
    scene.move('a1', 'a3', { source: true })
    scene.setDown('c2')
    scene.move('c2', 'c3', { source: false })
    for (let round = 0; round < 6; round++) {
      const worker = await scene.start({ name: `worker-${round}`, bytesPerS: 400_000 })
      await scene.clock.pass(700 * ((seed * 7 + round * 3) % 11))
      await scene.clock.drive(worker.close())
    }
    scene.shards.node('c2').shards.clear()
    scene.setDown()
    await scene.start({ name: 'last' })
    await scene.until('no slot moves', () => !scene.moving())
    await scene.until('all whole', () => scene.flaws().length === 0)
    await scene.assertWhole()
    await scene.end()
  }
})

test('two workers share the groups and do each other no harm', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 30)
  scene.move('a1', 'a3', { source: true })
  const workers = [await scene.start({ name: 'one' }), await scene.start({ name: 'two' })]
  await scene.until('no slot moves', () => !scene.moving())
  await scene.until('all whole', () => scene.flaws().length === 0)
  assert.ok(workers.every((worker) => worker.reports().length > 0))
  await scene.assertWhole()
  await scene.end()
})

test('a budget that is far too small slows the work down, and ends none of it', async () => {
  const scene = createWorkScene(SHAPE)
  await scene.fill('key', 12, [4_300_000, 1_000_000])
  await scene.start({ bytesPerS: 1_000_000 })
  const begun = scene.clock.monotonicMs()
  scene.move('c1', 'c3', { source: true })
  await scene.until('no slot moves', () => !scene.moving())
  await scene.until('all whole', () => scene.flaws().length === 0)
  assert.ok(scene.clock.monotonicMs() - begun > 10_000)
  await scene.assertWhole()
  await scene.end()
})
