import assert from 'node:assert/strict'
import test from 'node:test'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { failsWith } from '../../contract/metadata-requests.ts'
import { mapOf } from './members.ts'
import { HALVES, setUp } from './scene.ts'

test('requests about many keys are divided among owners, answered in order, and divided anew after a split', async () => {
  const { clock, members, routed } = setUp()
  const places = ['x', 'b', 'n', 'a', 'z'].map((key) => ({ bucket: 'bucket', key }))
  const ask = async () => {
    const { blobs } = await clock.drive(routed.call('resolveBlobs', { places }))
    return blobs.map(({ storageClass }) => storageClass)
  }
  assert.deepEqual(await ask(), ['x by b', 'b by a', 'n by b', 'a by a', 'z by b'])
  members.publish(
    mapOf(2, [
      ['', 'a'],
      ['m', 'b'],
      ['y', 'c'],
    ]),
  )
  assert.deepEqual(await ask(), ['x by b', 'b by a', 'n by b', 'a by a', 'z by c'])
  assert.equal((await clock.drive(routed.call('requestRepair', { tasks: places }))).queued, 5)
  assert.deepEqual((await clock.drive(routed.call('resolveBlobs', {}))).blobs, [])
})

test('a listing goes over partitions, while one of them is split under it', async () => {
  const { clock, members, put, routed } = setUp()
  for (const key of ['a', 'k', 'n', 'q', 'y']) await clock.drive(put(key))
  members.publish(
    mapOf(2, [
      ['', 'a'],
      ['m', 'b'],
      ['p', 'c'],
      ['x', 'a'],
    ]),
  )
  const page = await clock.drive(routed.call('listObjects', { bucket: 'bucket', limit: 4 }))
  assert.deepEqual(
    page.objects.map(({ key }) => key),
    ['a', 'k', 'n', 'q'],
  )
  assert.deepEqual([page.truncated, page.nextAfter, page.coveredTo], [true, 'q', undefined])
  const rest = await clock.drive(routed.call('listObjects', { bucket: 'bucket', after: 'q', limit: 4 }))
  assert.deepEqual([rest.objects.map(({ key }) => key), rest.truncated], [['y'], false])
})

test('one process that has everything, within this one: nothing lies between, until it owns no more', async () => {
  const { clock, members, put } = setUp({ map: mapOf(1, [['', 'a']]), watched: false })
  members.alive = ['a']
  await clock.drive(put('k'))
  const before = members.get('a').received.length
  await clock.drive(put('k2'))
  assert.equal(members.get('a').received.length, before + 1)
  members.alive = undefined
  members.publish(mapOf(2, HALVES))
  await clock.drive(put('z'))
  assert.deepEqual([members.get('a').done.length, members.get('b').done.length], [2, 1])
})

test('a process that is alone is where it answered from, whatever it says of its address', async () => {
  const { clock, members, put } = setUp({
    ids: ['a', 'forwarded'],
    map: mapOf(1, [['', 'forwarded']]),
    seeds: ['forwarded:1'],
  })
  members.alive = ['forwarded']
  await clock.drive(put('k'))
  assert.equal(members.connections, 1)
})

test('an abort ends a call, wherever it waits; closing ends all of them', async () => {
  const { clock, members, routed, put, timed } = setUp()
  await clock.drive(put('k'))
  members.set('a', 'down')
  const aborting = new AbortController()
  const aborted = routed.call('getObject', { bucket: 'bucket', key: 'k' }, aborting.signal)
  aborted.catch(() => undefined)
  await clock.pass(500)
  aborting.abort(new Error('enough'))
  const { outcome, ms } = await timed(aborted)
  assert.ok(outcome.status === 'rejected' && String(outcome.reason).includes('enough') && ms === 0)
  await routed.close()
  await clock.drive(failsWith(put('k'), FailureCode.UNAVAILABLE))
})
