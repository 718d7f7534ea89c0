import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WORK_LEASE_TTL_MS, WORK_RETRY_MS_MAX, WORK_TURN_MS } from '../../core/limits.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { clusterMap } from '../../store/testing/cluster-map.ts'
import { FakeMetadata } from '../../store/testing/fake-metadata.ts'
import { seededRandom } from '../../store/testing/harness.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import type { Job, Session } from './job.ts'
import { Runner } from './runner.ts'

function world() {
  const clock = new SimulatedClock()
  const metadata = new FakeMetadata(clusterMap(), clock)
  let seed = 0
  const start = (holder: string, ...jobs: Job[]): Runner =>
    new Runner({ metadata, clock, random: seededRandom(++seed), log: silentLog, holder }, jobs)
  return { clock, metadata, start }
}

/** A job that notes who works, and says when two do at once. */
function watched(round: (session: Session) => Promise<number> = async () => 1000) {
  let atWork = 0
  const seen = { rounds: 0, opened: 0, together: 0 }
  const job = (lease: string): Job => ({
    lease,
    kind: 'test',
    open(session) {
      seen.opened++
      return {
        async round() {
          seen.rounds++
          if (++atWork > 1) seen.together++
          try {
            return await round(session)
          } finally {
            atWork--
          }
        },
      }
    },
  })
  return { job, seen }
}

test('one process at a time does a job, and the other goes on when it ends', async () => {
  const { clock, start } = world()
  const { job, seen } = watched(async () => {
    await clock.sleep(400)
    return 100
  })
  const first = start('one', job('work'))
  await clock.pass(100)
  const second = start('two', job('work'))
  await clock.pass(60_000)
  assert.ok(seen.rounds > 100)
  assert.equal(seen.together, 0)
  assert.deepEqual(
    [first, second].map((runner) => runner.reports()[0]?.held),
    [true, false],
  )
  await clock.drive(first.close())
  const before = seen.rounds
  await clock.pass(WORK_LEASE_TTL_MS)
  assert.ok(seen.rounds > before, 'the lease was given back, so that nobody waits for its end')
  assert.equal(second.reports()[0]?.held, true)
  await clock.drive(second.close())
})

test('many jobs are shared among processes as their turns end', async () => {
  const { clock, start } = world()
  const { job } = watched()
  const jobs = Array.from({ length: 8 }, (_, i) => job(`share/${i}`))
  const runners = [start('one', ...jobs), start('two', ...jobs)]
  for (let turn = 0; turn < 4; turn++) await clock.pass(WORK_TURN_MS)
  const held = runners.map((runner) => runner.reports().filter((one) => one.held).length)
  assert.ok(
    held.every((count) => count > 0),
    String(held),
  )
  for (const runner of runners) await clock.drive(runner.close())
})

test('a job that fails is begun anew, after pauses that grow and end', async () => {
  const { clock, start } = world()
  let broken = true
  const { job, seen } = watched(async () => {
    if (broken) throw new Error('as ordered')
    return 1000
  })
  const runner = start('one', job('work'))
  await clock.pass(10 * WORK_RETRY_MS_MAX)
  assert.ok(seen.opened >= 6 && seen.opened < 40, String(seen.opened))
  assert.ok((runner.reports()[0]?.failures ?? 0) >= 6)
  broken = false
  await clock.pass(2 * WORK_RETRY_MS_MAX)
  assert.equal(runner.reports()[0]?.failures, 0)
  assert.equal(runner.reports()[0]?.held, true)
  await clock.drive(runner.close())
})

test('a holder that cannot renew its lease stops before another may have it', async () => {
  const { clock, metadata, start } = world()
  let signal: AbortSignal | undefined
  const { job } = watched(async (session) => {
    signal = session.signal
    await clock.sleep(1_000_000, session.signal)
    return 0
  })
  const runner = start('one', job('work'))
  await clock.pass(1000)
  assert.equal(signal?.aborted, false)
  metadata.unreachable = true
  await clock.pass(WORK_LEASE_TTL_MS)
  assert.equal(signal.aborted, true)
  assert.equal(runner.reports()[0]?.held, false)
  metadata.unreachable = false
  await clock.pass(WORK_LEASE_TTL_MS)
  assert.equal(runner.reports()[0]?.held, true)
  await clock.drive(runner.close())
  assert.equal(metadata.leases.size, 0, 'given back')
})

test('a lease that another took is noticed at the next renewal', async () => {
  const { clock, metadata, start } = world()
  let signal: AbortSignal | undefined
  const { job } = watched(async (session) => {
    signal = session.signal
    await clock.sleep(1_000_000, session.signal)
    return 0
  })
  const runner = start('one', job('work'))
  await clock.pass(1000)
  metadata.leases.set('work', { holder: 'other', until: clock.monotonicMs() + 100_000 })
  await clock.pass(WORK_LEASE_TTL_MS / 3)
  assert.equal(signal?.aborted, true)
  assert.equal(runner.reports()[0]?.held, false)
  await clock.drive(runner.close())
})

test('what a job has done goes with each renewal, with its rate', async () => {
  const { clock, metadata, start } = world()
  const { job } = watched(async ({ progress }) => {
    progress.add(1, 5000)
    progress.itemsWaiting = 7
    progress.now = 'at it'
    return 1000
  })
  const runner = start('one', job('work'))
  await clock.pass(60_000)
  const report = metadata.leases.get('work')?.report
  assert.equal(report?.itemsWaiting, 7n)
  assert.equal(report.kind, 'test')
  assert.equal(report.now, 'at it')
  const rate = Number(report.bytesPerSecond)
  assert.ok(rate > 4500 && rate < 5500, String(rate))
  await clock.drive(runner.close())
})
