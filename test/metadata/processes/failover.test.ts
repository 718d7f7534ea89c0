import assert from 'node:assert/strict'
import test from 'node:test'
import { memberKey } from '../../../core/keyspace/keys.ts'
import { MEMBER_TTL_MS } from '../../../core/limits.ts'
import { MemberTakenError } from '../../../metadata/coordination/own-member.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { createBucket, failsWith } from '../../contract/metadata-requests.ts'
import { threeProcesses } from './three-processes.ts'
import type { World } from './world.ts'
import { MetadataError } from '../../../proto/metadata-api.ts'

/** From the death of a process until all that it owned is served again: its time, the margin, two looks and an opening. */
const FAILOVER_MS = 5000

function owners(world: World, id: string): string[] {
  const { rootOwner, partitions } = world.map(id)
  return [rootOwner, ...partitions.map(({ owner }) => owner)]
}

test('a process dies: others have what it owned within seconds, with all that was acknowledged', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  assert.deepEqual(owners(world, 'a'), ['a', 'b', 'c'])
  await drive(requests.put(routed, 'k', 'kept'))
  await drive(requests.put(routed, 'z', 'kept'))
  world.kill('c')
  const began = world.clock.monotonicMs()
  // Held by the client until somebody serves it.
  await drive(requests.put(routed, 'z', 'new'))
  const ms = world.clock.monotonicMs() - began
  assert.ok(ms > MEMBER_TTL_MS && ms < FAILOVER_MS, `${ms}`)
  assert.equal(await drive(requests.get(routed, 'z')), 'new')
  world.kill('a')
  await drive(createBucket(routed, 'another'))
  assert.ok((await world.settle()) < FAILOVER_MS)
  assert.deepEqual(owners(world, 'b'), ['b', 'b', 'b'])
  assert.equal(await drive(requests.get(routed, 'k')), 'kept')
  await world.closeAll()
})

test('all die, and come back', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'k', 'kept'))
  await drive(requests.put(routed, 'z', 'kept'))
  for (const id of ['a', 'b', 'c']) world.kill(id)
  await world.clock.pass(60_000)
  await drive(Promise.all(['a', 'b', 'c'].map((id) => world.start(id))))
  await world.settle()
  assert.equal(await drive(requests.get(routed, 'k')), 'kept')
  assert.equal(await drive(requests.get(routed, 'z')), 'kept')
  await world.closeAll()
})

test('a process that ends gives away at once what it had, and nobody notices', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'kept'))
  await drive(Promise.all([world.close('c'), world.clock.pass(1)]))
  const began = world.clock.monotonicMs()
  assert.equal(await drive(requests.get(routed, 'z')), 'kept')
  await drive(requests.put(routed, 'z', 'new'))
  assert.ok(world.clock.monotonicMs() - began < 1500, `${world.clock.monotonicMs() - began}`)
  await world.closeAll()
})

test('a paused owner that goes on answers nothing that others have changed, nor writes', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'old'))
  assert.equal(await drive(requests.get(world.api('c'), 'z')), 'old')
  // Its commit is on the way for as long.
  const { engineDelay } = world.process('c')
  world.process('c').engineDelay = () => 1
  const write = Promise.allSettled([requests.put(world.api('c'), 'y', 'lost?')])
  await world.clock.pass(1)
  world.pause('c')
  const read = Promise.allSettled([requests.get(world.api('c'), 'z')])
  await world.clock.pass(FAILOVER_MS)
  const there = await drive(requests.get(routed, 'y'))
  await drive(requests.put(routed, 'z', 'new'))
  world.process('c').engineDelay = engineDelay
  world.resume('c')
  // Asked in the same instant, before any timer of it has run.
  const again = Promise.allSettled([
    requests.get(world.api('c'), 'z'),
    requests.put(world.api('c'), 'z', 'never'),
  ])
  const [[late], [written], [stale, refused]] = await drive(Promise.all([read, write, again]))
  for (const outcome of [late, stale, refused]) {
    assert.ok(
      outcome?.status === 'rejected' &&
        outcome.reason instanceof MetadataError &&
        outcome.reason.code === FailureCode.NOT_MINE,
      JSON.stringify(outcome),
    )
  }
  assert.equal(await drive(requests.get(routed, 'y')), there)
  if (written?.status === 'fulfilled') assert.equal(there, 'lost?')
  assert.equal(await drive(requests.get(routed, 'z')), 'new')
  // It is a member again, as the others see soon, and can be given something.
  await world.clock.pass(1000)
  await drive(requests.move(routed, 2, 'c'))
  await world.settle()
  assert.equal(await drive(requests.get(world.api('c'), 'z')), 'new')
  await world.closeAll()
})

test('a paused coordinator that goes on answers nothing out of memory', async () => {
  const { world, drive } = await threeProcesses()
  await drive(world.api('a').call('getCluster', {}))
  world.pause('a')
  await world.clock.pass(FAILOVER_MS)
  world.resume('a')
  const lease = { name: 'work', holder: 'worker', ttlMs: 1000 }
  await drive(
    Promise.all([
      failsWith(world.api('a').call('getCluster', {}), FailureCode.NOT_MINE),
      failsWith(world.api('a').call('keepLease', lease), FailureCode.NOT_MINE),
    ]),
  )
  await world.settle()
  await world.closeAll()
})

test('a process that comes back while others give away what it owned serves nothing that is theirs', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'old'))
  // So that b, which has less, is given what c has.
  for (const key of ['f', 'd']) {
    await drive(requests.move(routed, await drive(requests.split(routed, 1, key)), 'a'))
  }
  // What it hears of the map comes late, and who gives away is slow.
  world.process('c').watchDelayMs = 900
  world.process('a').engineDelay = () => 50
  world.pause('c')
  while ((await world.engine.get(memberKey('c'))) !== undefined) await world.clock.pass(5)
  assert.deepEqual(owners(world, 'b'), ['a', 'b', 'a', 'a', 'c'])
  world.resume('c')
  for (let step = 0; step < 200; step++) {
    await world.clock.pass(10)
    world.assertOneOwner()
  }
  await world.settle()
  await drive(requests.put(routed, 'z', 'new'))
  assert.equal(await drive(requests.get(routed, 'z')), 'new')
  await world.closeAll()
})

test('a name that lives is refused', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'kept'))
  await assert.rejects(drive(world.start('twin', { config: { nodeId: 'c' } })), MemberTakenError)
  assert.equal(await drive(requests.get(world.api('c'), 'z')), 'kept')
  world.kill('twin')
  await world.closeAll()
})

test('a name whose process is about to end is taken over when it has ended', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'kept'))
  await drive(world.node('c').leave())
  const twin = world.start('twin', { config: { nodeId: 'c' } })
  twin.catch(() => undefined)
  for (let step = 0; step < 100; step++) {
    await world.clock.pass(10)
    world.assertOneOwner()
  }
  // Given away by now.
  assert.equal(await drive(requests.get(routed, 'z')), 'kept')
  await drive(world.close('c'))
  const since = world.clock.monotonicMs()
  await drive(twin)
  assert.ok(world.clock.monotonicMs() - since < 1000)
  await drive(Promise.all(['a', 'b', 'twin'].map((id) => world.close(id))))
})

test('a name whose process is paused is taken over, and that one serves no more', async () => {
  const { world, requests, routed, drive } = await threeProcesses()
  await drive(requests.put(routed, 'z', 'old'))
  world.pause('c')
  await drive(world.start('twin', { config: { nodeId: 'c' } }))
  world.resume('c')
  await drive(failsWith(requests.get(world.api('c'), 'z'), FailureCode.NOT_MINE))
  for (let step = 0; step < 100; step++) {
    await world.clock.pass(50)
    world.assertOneOwner()
  }
  await drive(failsWith(requests.get(world.api('c'), 'z'), FailureCode.NOT_MINE))
  world.kill('c')
  await drive(Promise.all(['a', 'b', 'twin'].map((id) => world.close(id))))
})
