import assert from 'node:assert/strict'
import test from 'node:test'
import { partitionMapKey } from '../../../core/keyspace/keys.ts'
import { LEFTOVERS_LOOK_MS } from '../../../core/limits.ts'
import { faultOfMap } from '../../../metadata/structure/layout.ts'
import { createBucket } from '../../contract/metadata-requests.ts'
import { Requests } from './requests.ts'
import { World } from './world.ts'

async function scene(ids = ['a', 'b', 'c']) {
  const world = await World.of(ids)
  const requests = new Requests(world.clock)
  const routed = world.routed()
  const drive = <T>(work: Promise<T>) => world.clock.drive(work)
  await drive(createBucket(routed))
  return { world, requests, routed, drive }
}

test('after a merge nothing is read that was true before the split', async () => {
  const { world, requests, routed, drive } = await scene()
  await drive(requests.put(routed, 'z', 'first'))
  assert.equal(await drive(requests.get(routed, 'z')), 'first')
  await drive(requests.split(routed, 1, 'm'))
  await drive(requests.put(routed, 'z', 'second'))
  await drive(requests.merge(routed, 1))
  assert.equal(await drive(requests.get(routed, 'z')), 'second')
  await world.closeAll()
})

test('the outbox of a partition that was merged is read and acknowledged by its own name', async () => {
  const { world, requests, routed, drive } = await scene()
  await drive(requests.split(routed, 1, 'm'))
  const garbageOf = async (outbox: bigint) =>
    (await drive(routed.call('readOutbox', { outbox, limit: 100 }))).records.flatMap(({ task, sequence }) =>
      task.case === 'garbage' ? [{ key: task.value.key, sequence }] : [],
    )
  for (const key of ['a', 'z']) for (const etag of ['1', '2']) await drive(requests.put(routed, key, etag))
  assert.deepEqual(
    (await garbageOf(2n)).map(({ key }) => key),
    ['z'],
  )
  await drive(requests.merge(routed, 1))
  assert.deepEqual(
    (await garbageOf(1n)).map(({ key }) => key),
    ['a'],
  )
  const left = await garbageOf(2n)
  assert.deepEqual(
    left.map(({ key }) => key),
    ['z'],
  )
  const sequences = left.map(({ sequence }) => sequence)
  await drive(routed.call('acknowledgeOutbox', { outbox: 2n, sequences }))
  assert.deepEqual(
    (await garbageOf(1n)).map(({ key }) => key),
    ['a'],
  )
  assert.deepEqual(await garbageOf(2n), [])
  const { outboxBacklog } = await drive(routed.call('getCluster', {}))
  assert.equal(outboxBacklog, 1n)
  await world.closeAll()
})

/** The next commit of the process that writes the partition map is made, and its answer is lost. */
function loseAnswer({ world }: Awaited<ReturnType<typeof scene>>, id: string): Promise<undefined> {
  const lost = Promise.withResolvers<undefined>()
  const process = world.process(id)
  process.fault = ({ puts }) => {
    if (!puts.some(({ key }) => Buffer.from(partitionMapKey).equals(key))) return 'none'
    process.fault = () => 'none'
    lost.resolve(undefined)
    return 'after'
  }
  return lost.promise
}

test('a split that does not hear that it has its id gets no other, though somebody else takes the next one meanwhile', async () => {
  const parts = await scene(['a', 'b'])
  const { world, requests, routed, drive } = parts
  await drive(requests.move(routed, 1, 'a'))
  await drive(requests.split(routed, 1, 'm'))
  await drive(requests.move(routed, 2, 'b'))
  await drive(requests.put(routed, 'z', 'before'))
  // As a process that has taken no id yet.
  await drive(world.close('a'))
  await drive(world.start('a'))
  await world.settle()
  await drive(requests.move(routed, 1, 'a'))
  const lost = loseAnswer(parts, 'a')
  const first = requests.split(routed, 1, 'f')
  await drive(lost)
  const second = await drive(requests.split(routed, 2, 't'))
  await drive(first)
  await world.settle()
  const map = world.map()
  assert.equal(faultOfMap(map), undefined)
  const ids = map.partitions.map(({ id }) => Number(id))
  assert.deepEqual(new Set(ids), new Set([1, 2, await first, second]))
  assert.equal(ids.length, 4)
  for (const key of ['a', 'g', 'n', 'z']) {
    await drive(requests.put(routed, key, 'after'))
    assert.equal(await drive(requests.get(routed, key)), 'after')
  }
  await world.closeAll()
})

test('a process that dies between the two changes of a split leaves everything as it was, but for an id', async () => {
  const { world, requests, routed, drive } = await scene(['a', 'b'])
  await drive(requests.move(routed, 1, 'a'))
  await drive(requests.move(routed, 0, 'b'))
  await drive(requests.put(routed, 'z', 'before'))
  const before = world.map('b')
  const process = world.process('a')
  let changes = 0
  const died = Promise.withResolvers<undefined>()
  process.fault = ({ puts }) => {
    if (!puts.some(({ key }) => Buffer.from(partitionMapKey).equals(key)) || ++changes < 2) return 'none'
    world.kill('a')
    died.resolve(undefined)
    return 'before'
  }
  const cut = requests.split(world.routed(4000), 1, 'm').catch(() => undefined)
  await drive(died.promise)
  await world.settle()
  const between = world.map('b')
  assert.deepEqual(
    between.partitions.map(({ id }) => id),
    [1n],
  )
  assert.equal(between.nextId, before.nextId + 1n)
  assert.equal(await drive(requests.get(routed, 'z')), 'before')
  assert.equal(await drive(requests.split(routed, 1, 'm')), Number(before.nextId) + 1)
  await drive(requests.put(routed, 'z', 'after'))
  assert.equal(await drive(requests.get(routed, 'z')), 'after')
  assert.equal(faultOfMap(world.map('b')), undefined)
  await drive(cut)
  await world.closeAll()
})

test('a split raises the version of the map by two, a merge by one, and by another once its outbox is empty', async () => {
  const { world, requests, routed, drive } = await scene(['a'])
  const versions = [world.map().version]
  await drive(requests.split(routed, 1, 'm'))
  versions.push(world.map().version)
  await drive(requests.merge(routed, 1))
  versions.push(world.map().version)
  assert.deepEqual(world.map().partitions[0]?.outboxes, [1n, 2n])
  await world.clock.pass(LEFTOVERS_LOOK_MS + 1000)
  versions.push(world.map().version)
  assert.deepEqual(world.map().partitions[0]?.outboxes, [1n])
  const [first = 0n] = versions
  assert.deepEqual(
    versions.map((version) => version - first),
    [0n, 2n, 3n, 4n],
  )
  await world.closeAll()
})
