import assert from 'node:assert/strict'
import test from 'node:test'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { seeded } from '../chaos/seeded.ts'
import { startFakeStore } from './fake-store.ts'
import { RecordedLoad } from './load.ts'
import { Outages } from './outages.ts'
import type { Failure } from './recorder.ts'

function failed(invoked: number, responded: number, httpStatusCode = 503): Failure {
  const error = new S3ServiceException({ name: 'Failed', $fault: 'server', $metadata: { httpStatusCode } })
  return { what: 'GET key', invoked, responded, tries: 3, error }
}

test('what was under way during an outage is excused, and nothing before, between or after', async () => {
  let now = 0
  const outages = new Outages(() => now)
  for (const [from, to] of [
    [100, 200],
    [300, 400],
  ] as const) {
    now = from
    await outages.during(async () => {
      now = to
    })
  }
  const excused = (invoked: number, responded: number): boolean => outages.excuses(failed(invoked, responded))
  assert.ok(!excused(10, 99), 'it had ended before')
  assert.ok(excused(10, 100))
  assert.ok(excused(120, 180), 'within')
  assert.ok(excused(10, 250), 'all of it')
  assert.ok(excused(200, 250))
  assert.ok(!excused(201, 299), 'between two')
  assert.ok(excused(201, 350))
  assert.ok(!excused(401, 9000), 'it began after')
})

test('an outage that has not ended excuses what has failed meanwhile', async () => {
  const outages = new Outages(() => 100)
  await outages.during(async () => {
    assert.ok(outages.excuses(failed(150, 160)))
    assert.ok(!outages.excuses(failed(10, 99)))
  })
  assert.ok(!outages.excuses(failed(150, 160)))
})

test('an answer other than 503 is excused by no outage', async () => {
  const outages = new Outages(() => 100)
  await outages.during(async () => undefined)
  assert.ok(outages.excuses(failed(50, 150)))
  for (const status of [403, 500]) assert.ok(!outages.excuses(failed(50, 150, status)), String(status))
  assert.ok(!outages.excuses({ ...failed(50, 150), error: new Error('socket hang up') }))
})

test('of a load whose store fails twice, what failed in the outage is excused and the rest is told', async (t) => {
  const habits = { loses: 0 }
  const connect = await startFakeStore(t, habits, seeded(1))
  const load = new RecordedLoad({
    buckets: [{ name: 'bucket', prefixes: 3, keysOfPrefix: 2, share: 1 }],
    gateways: [connect],
    clients: 4,
    seed: 1,
  })
  const outages = new Outages()
  const failing = async (): Promise<void> => {
    habits.loses = 1
    await load.progress(20)
    habits.loses = 0
  }
  load.start()
  await load.progress(20)
  await outages.during(failing)
  // Whoever began during the outage has ended.
  await load.progress(40)
  const inOutage = load.failures().length
  await failing()
  await load.stop()
  assert.ok(inOutage > 0)
  const told = load.failures((failure) => outages.excuses(failure))
  assert.ok(told.length > 0, 'the second time is no outage')
  assert.equal(told.length, load.failures().length - inOutage)
})
