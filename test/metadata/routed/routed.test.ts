import assert from 'node:assert/strict'
import test from 'node:test'
import {
  METADATA_MAP_TIMEOUT_MS,
  METADATA_OWNER_LOOK_MS,
  METADATA_REQUEST_TIMEOUT_MS,
} from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { UnreachedError } from '../../../runtime/metadata-client/failure.ts'
import { failsWith } from '../../contract/metadata-requests.ts'
import { mapOf } from './members.ts'
import { failureOf, HALVES, setUp } from './scene.ts'

/** Longest from a change of owner that the members know of to the request at its new owner. */
const FOLLOWS_MS = 5 * METADATA_OWNER_LOOK_MS

test('each request goes to its owner: by key, by UTF-8, to the root, to an outbox', async () => {
  const map = mapOf(
    1,
    [
      ['', 'a'],
      ['\uffff', 'b'],
      ['\u{1F600}', 'c'],
    ],
    'b',
  )
  const { clock, members, routed, put } = setUp({ map })
  const asked = async (work: Promise<unknown>) => {
    for (const { received } of members.members.values()) received.length = 0
    await clock.drive(work)
    const all = [...members.members.values()]
    return all
      .flatMap(({ id, received }) => received.filter((one) => one !== 'getPartitions').map(() => id))
      .join('')
  }
  assert.equal(await asked(put('z')), 'a')
  assert.equal(await asked(put('\uffff')), 'b')
  // Before U+FFFF in UTF-16, after it in UTF-8.
  assert.equal(await asked(put('\u{1F600}')), 'c')
  assert.equal(await asked(routed.call('getCluster', {})), 'b')
  assert.equal(await asked(routed.call('readOutbox', {})), 'a')
  assert.equal(await asked(routed.call('readOutbox', { outbox: 3n })), 'c')
  await clock.drive(failsWith(routed.call('probeBucket', {}), FailureCode.INVALID_REQUEST))
})

test('an outbox that the map does not list is waited for, and then is certainly not read', async () => {
  const { routed, timed } = setUp()
  const { outcome, ms } = await timed(routed.call('acknowledgeOutbox', { outbox: 9n }))
  const failure = failureOf(outcome)
  assert.ok(failure instanceof UnreachedError && !failure.sent)
  assert.ok(ms >= METADATA_REQUEST_TIMEOUT_MS && ms < METADATA_REQUEST_TIMEOUT_MS + 2000, `${ms}`)
})

test('a range that has moved: who is turned away asks the new owner, and nothing is done twice', async () => {
  const { clock, members, put, timed } = setUp()
  await clock.drive(put('k'))
  members.publish(
    mapOf(2, [
      ['', 'c'],
      ['m', 'b'],
    ]),
  )
  const { outcome, ms } = await timed(put('k2'))
  assert.equal(outcome.status, 'fulfilled')
  assert.ok(ms < 50, `${ms}`)
  assert.deepEqual([members.get('a').done.length, members.get('c').done.length], [1, 1])
})

test('hundreds of requests that are turned away at once ask for the map a few times', async () => {
  const { clock, members, put, get } = setUp()
  await clock.drive(put('k'))
  // Nobody takes it yet: the old owner has let go, and the new one does not know.
  const moved = mapOf(2, [
    ['', 'c'],
    ['m', 'b'],
  ])
  for (const id of ['a', 'b']) members.get(id).map = moved
  for (const { received } of members.members.values()) received.length = 0
  const writes = Promise.all(Array.from({ length: 300 }, (_, index) => put(`k${index}`)))
  clock.after(400, () => {
    members.get('c').map = moved
  })
  await clock.drive(writes)
  const questions = [...members.members.values()]
    .flatMap(({ received }) => received)
    .filter((one) => one === 'getPartitions')
  assert.ok(questions.length < 100, `${questions.length}`)
  assert.deepEqual([members.get('a').done.length, members.get('c').done.length], [1, 300])
  const tries = members.get('c').received.filter((one) => one === 'commitObject').length
  assert.ok(tries < 4000, `${tries}`)
  await clock.drive(get('k299'))
})

test('nobody takes it: it fails within its time, and is certainly not done', async () => {
  const { clock, members, put, timed } = setUp()
  await clock.drive(put('k'))
  members.get('a').map = mapOf(2, [
    ['', 'c'],
    ['m', 'b'],
  ])
  members.get('c').map = mapOf(3, [
    ['', 'a'],
    ['m', 'b'],
  ])
  members.get('b').map = members.get('c').map
  const { outcome, ms } = await timed(put('k'))
  const failure = failureOf(outcome)
  assert.ok(failure.code === FailureCode.UNAVAILABLE && failure instanceof UnreachedError && !failure.sent)
  assert.match(failure.message, /another's/)
  assert.ok(ms >= METADATA_REQUEST_TIMEOUT_MS && ms < METADATA_REQUEST_TIMEOUT_MS + 2000, `${ms}`)
})

test('a process that lags behind does not bring an old map back', async () => {
  const { clock, members, get, put, routed, timed } = setUp()
  const old = mapOf(1, HALVES)
  // The coordinator, of which the map is asked first.
  const moved = mapOf(
    7,
    [
      ['', 'c'],
      ['m', 'b'],
    ],
    'b',
  )
  for (const id of ['a', 'c']) members.get(id).map = moved
  await clock.drive(put('k'))
  assert.equal(members.get('b').map.version, old.version)
  for (let count = 0; count < 10; count++) {
    await clock.drive(routed.call('getPartitions', {}))
    const { ms } = await timed(get('k'))
    assert.ok(ms < 10, `${ms}`)
  }
  assert.deepEqual(
    members.get('a').received.filter((one) => one === 'getObject'),
    [],
  )
})

test('an owner that is gone: what was not sent waits, goes to the next owner, and never to the old one', async () => {
  const { clock, members, put, get, timed } = setUp()
  await clock.drive(put('k'))
  members.set('a', 'down')
  const write = put('k', 'new')
  const read = get('k')
  await clock.pass(3000)
  members.alive = ['b', 'c']
  members.publish(
    mapOf(
      2,
      [
        ['', 'c'],
        ['m', 'b'],
      ],
      'b',
    ),
  )
  const { outcome, ms } = await timed(Promise.all([write, read]))
  assert.equal(outcome.status, 'fulfilled')
  assert.ok(ms < FOLLOWS_MS, `${ms}`)
  assert.deepEqual([members.get('a').done.length, members.get('c').done.length], [1, 1])
  members.set('a', 'up')
  await clock.pass(1000)
  assert.deepEqual(members.get('a').done.length, 1)
})

test('an owner that comes back in time answers what waits for it', async () => {
  const { clock, members, put, timed } = setUp()
  await clock.drive(put('k'))
  members.set('a', 'down')
  const write = put('k', 'new')
  await clock.pass(2000)
  members.set('a', 'up')
  const { outcome, ms } = await timed(write)
  assert.equal(outcome.status, 'fulfilled')
  assert.ok(ms < 10, `${ms}`)
})

test('an owner that stands still: reads follow the map; a write that it was sent is unknown as soon as it is no owner', async () => {
  const { clock, members, put, get, timed } = setUp()
  await clock.drive(put('k'))
  members.set('a', 'silent')
  const write = put('k', 'new')
  const read = get('k')
  write.catch(() => undefined)
  await clock.pass(3000)
  members.alive = ['b', 'c']
  members.publish(
    mapOf(
      2,
      [
        ['', 'c'],
        ['m', 'b'],
      ],
      'b',
    ),
  )
  const reading = await timed(read)
  assert.equal(reading.outcome.status, 'fulfilled')
  assert.ok(reading.ms < FOLLOWS_MS, `${reading.ms}`)
  const writing = await timed(write)
  const failure = failureOf(writing.outcome)
  assert.ok(failure.code === FailureCode.UNAVAILABLE && failure instanceof UnreachedError && failure.sent)
  assert.ok(writing.ms < FOLLOWS_MS, `${writing.ms}`)
  const { ms } = await timed(put('k', 'newer'))
  assert.ok(ms < 10, `${ms}`)
  assert.deepEqual([members.get('a').done.length, members.get('c').done.length], [1, 1])
})

test('a planned move: what the old owner has in hand is answered by it, though the map is another already', async () => {
  const { clock, members, put, routed } = setUp({ map: mapOf(1, HALVES, 'b') })
  await clock.drive(put('k'))
  members.get('a').latencyMs = 1.5 * METADATA_OWNER_LOOK_MS
  const write = put('k', 'new')
  await clock.pass(1)
  const moved = mapOf(
    2,
    [
      ['', 'c'],
      ['m', 'b'],
    ],
    'b',
  )
  for (const id of ['b', 'c']) members.get(id).map = moved
  await clock.drive(routed.call('getPartitions', {}))
  assert.equal((await clock.drive(write)).object?.etag, 'new')
})

test('the coordinator stands still: its requests go to the next one, heartbeats and leases alike', async () => {
  const { clock, members, routed, timed } = setUp({ map: mapOf(1, HALVES, 'c') })
  await clock.drive(routed.call('getCluster', {}))
  members.set('c', 'silent')
  const asked = routed.call('getCluster', {})
  await clock.pass(2500)
  members.publish(mapOf(2, HALVES, 'b'))
  const { outcome, ms } = await timed(asked)
  assert.equal(outcome.status, 'fulfilled')
  assert.ok(ms < FOLLOWS_MS, `${ms}`)
})

test('what an owner answers is passed on, once: refusals, faults, an overload, an unknown outcome', async () => {
  const { clock, members, put, get } = setUp()
  await clock.drive(put('k'))
  for (const code of [FailureCode.PRECONDITION_FAILED, FailureCode.INTERNAL, FailureCode.UNAVAILABLE]) {
    members.get('a').failure = new MetadataError(code, 'no')
    const before = members.get('a').received.length
    await clock.drive(failsWith(put('k'), code))
    assert.equal(members.get('a').received.length, before + 1)
  }
  // A read may be asked again until it is answered.
  const read = get('k')
  await clock.pass(500)
  members.get('a').failure = undefined
  await clock.drive(read)
})

test('any one of the given addresses is enough; without any, calls end within their time', async () => {
  const { clock, members, put, timed } = setUp({
    seeds: ['d:1', 'e:1', 'b:1'],
    ids: ['a', 'b', 'c', 'd', 'e'],
  })
  members.set('d', 'down')
  members.set('e', 'silent')
  const first = await timed(put('k'))
  assert.ok(first.outcome.status === 'fulfilled' && first.ms < 50, `${first.ms}`)
  const none = setUp({ seeds: ['d:1', 'e:1'], ids: ['d', 'e'] })
  none.members.set('d', 'down')
  none.members.set('e', 'silent')
  const { outcome, ms } = await none.timed(none.put('k'))
  assert.match(failureOf(outcome).message, /metadata is not reached/)
  assert.ok(ms < METADATA_REQUEST_TIMEOUT_MS + 2 * METADATA_MAP_TIMEOUT_MS, `${ms}`)
  await clock.pass(1)
})

test('who is refused hears of it at once', async () => {
  const { members, put, timed } = setUp()
  for (const member of members.members.values()) {
    member.failure = new UnreachedError('refused', { sent: false, final: true })
  }
  const { outcome, ms } = await timed(put('k'))
  assert.ok(failureOf(outcome).message === 'refused' && ms < 50, `${ms}`)
})
