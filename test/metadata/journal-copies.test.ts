/** How many copies there are of what the journal put on storage nodes, and what becomes of them when nodes come and go. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { JOURNAL_RETRY_MS, JOURNAL_COPIES, JOURNAL_REFILL_MS, JOURNAL_SHIP_MS } from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import { until } from '../contract/metadata-requests.ts'
import { world } from '../contract/metadata-service.ts'
import { basesOf, Nodes, Scene } from './journal-scene.ts'

/** Larger than one stripe, so that a base has several. */
const NOISE_BYTES = 3_000_000

function down(nodes: Nodes, ...ids: string[]): void {
  for (const id of ids) nodes.faults.set(id, 'down')
}

/** Fewest zones that hold one and the same piece. */
async function fewestZones({ nodes }: Scene): Promise<number> {
  const zones = new Map<string, Set<string>>()
  for (const [node, service] of nodes.services) {
    const { shards } = await service.list({ group: JOURNAL_GROUP, limit: 1000 })
    for (const { address } of shards) {
      const piece = `${address.blob} ${address.stripe}`
      zones.set(piece, (zones.get(piece) ?? new Set()).add(node.slice(0, 1)))
    }
  }
  return Math.min(...[...zones.values()].map((of) => of.size))
}

/** Six nodes that have a base of several stripes. */
async function onSix(): Promise<Scene> {
  const scene = await Scene.on(await Nodes.six())
  await scene.commit({ noise: world.random.bytes(NOISE_BYTES) })
  await scene.settle()
  return scene
}

async function loseBases(nodes: Nodes): Promise<void> {
  for (const { node, blob, kind } of await nodes.blobs()) {
    if (kind === 'base') await nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  }
}

/** Lets time pass until each piece is in three zones, and the journal says so. */
async function whole(scene: Scene): Promise<void> {
  await until(async () => {
    await scene.pass(() => true)
    scene.clock.advance(JOURNAL_SHIP_MS)
    return (await fewestZones(scene)) === JOURNAL_COPIES && scene.journal.state().reason === ''
  })
}

test('a base that was begun when one node was up gets its copies when others are: that node can be lost', async () => {
  const nodes = await Nodes.six()
  down(nodes, 'a2', 'b1', 'b2', 'c1', 'c2')
  const scene = await Scene.on(nodes)
  await scene.commit({ noise: world.random.bytes(NOISE_BYTES) })
  await scene.settle()
  assert.equal(await fewestZones(scene), 1)
  nodes.faults.clear()
  await whole(scene)
  assert.equal(await basesOf(scene), 1, 'copied, not made anew')
  await scene.journal.close()
  nodes.services.delete('a1')
  assert.equal((await scene.recover()).content, scene.states.at(-1))
})

test('segments that were put while a zone was away are copied to it when it is back', async () => {
  const nodes = new Nodes()
  for (const zone of ['a', 'b', 'c']) await nodes.add(zone, zone)
  const scene = await Scene.on(nodes)
  await scene.write()
  await scene.settle()
  down(nodes, 'c')
  for (let n = 0; n < 3; n++) {
    await scene.write()
    await scene.settle()
  }
  assert.match(scene.journal.state().reason, /copies on 2 of 3 nodes only/)
  nodes.faults.clear()
  assert.match(scene.journal.state().reason, /some of it has 2 of 3 copies/)
  await whole(scene)
  await scene.journal.close()
  nodes.services.delete('a')
  nodes.services.delete('b')
  assert.equal((await scene.recover()).content, scene.states.at(-1))
})

test('what a lost node held is copied to another one; a node that is only away for a while is not replaced', async () => {
  const scene = await onSix()
  const { nodes } = scene
  await scene.write()
  await scene.settle()
  const [held = ''] = new Set((await nodes.blobs()).map(({ node }) => node))
  scene.clock.advance(JOURNAL_RETRY_MS)
  await whole(scene)
  const copies = (await nodes.blobs()).length
  down(nodes, held)
  scene.clock.advance(JOURNAL_REFILL_MS / 10)
  await scene.pass(() => true)
  nodes.faults.clear()
  await whole(scene)
  assert.equal((await nodes.blobs()).length, copies)

  nodes.services.delete(held)
  assert.ok((await fewestZones(scene)) < JOURNAL_COPIES)
  await whole(scene)
  assert.equal(await basesOf(scene), 1)
  await scene.journal.close()
})

test('a copy that its node has found to be damaged is put again in its place', async () => {
  const scene = await onSix()
  const { nodes } = scene
  await whole(scene)
  const listed = async () => {
    const of = [...nodes.services.values()].map((node) => node.list({ group: JOURNAL_GROUP, limit: 1000 }))
    return (await Promise.all(of)).flatMap(({ shards }) => shards)
  }
  const before = await listed()
  nodes.damageFirst('a1')
  for (const { address } of before) {
    await nodes.services
      .get('a1')
      ?.get({ address, epoch: 0 })
      .catch(() => undefined)
  }
  await until(async () => (await listed()).some(({ damaged }) => damaged))
  scene.clock.advance(JOURNAL_REFILL_MS)
  await until(async () => {
    await scene.pass(() => true)
    scene.clock.advance(JOURNAL_SHIP_MS)
    return (await listed()).every(({ damaged }) => !damaged)
  })
  assert.equal((await listed()).length, before.length)
  await scene.journal.close()
})

test('a process that starts looks after the copies that one before it put', async () => {
  const nodes = await Nodes.six()
  down(nodes, 'b1', 'b2', 'c1', 'c2')
  const scene = await Scene.on(nodes)
  await scene.write()
  await scene.settle()
  await scene.crash()
  nodes.faults.clear()
  await scene.settle()
  scene.clock.advance(JOURNAL_REFILL_MS)
  await whole(scene)
  await scene.journal.close()
})

test('where no copy of a piece is left, there is a new base', async () => {
  const scene = await onSix()
  const { nodes } = scene
  const { baseAtMs } = scene.journal.state()
  await loseBases(nodes)
  scene.clock.advance(JOURNAL_REFILL_MS)
  await scene.pass(() => scene.journal.state().baseAtMs > baseAtMs)
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('a start that finds a base without one of its pieces makes a new one', async () => {
  const scene = await onSix()
  const { nodes } = scene
  const { baseAtMs } = scene.journal.state()
  await scene.journal.close()
  await loseBases(nodes)
  await scene.start()
  await scene.settle()
  assert.ok(scene.journal.state().baseAtMs > baseAtMs)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('a node that takes nothing is not asked for more copies all the time', async () => {
  const nodes = new Nodes()
  for (const zone of ['a', 'b', 'c']) await nodes.add(zone, zone)
  nodes.faults.set('c', 'hangs')
  const scene = await Scene.on(nodes)
  await scene.write()
  await scene.pass(() => scene.shipped && scene.journal.state().baseAtMs > 0n)
  assert.match(scene.journal.state().reason, /some of it has 2 of 3 copies/)
  nodes.faults.clear()
  await whole(scene)
  await scene.journal.close()
})
