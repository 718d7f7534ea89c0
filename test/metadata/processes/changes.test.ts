import assert from 'node:assert/strict'
import test from 'node:test'
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
