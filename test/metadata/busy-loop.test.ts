/** The event loop of a metadata process takes long for each turn: what this does to the time for which it may serve. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { OwnMember } from '../../metadata/coordination/own-member.ts'
import type { Engine } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { seededRandom } from '../../store/testing/harness.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'

/**
 * Whether a process holds its time without a gap for half a minute, when each turn of its loop takes `turnMs` and a commit is answered
 * `turns` turns after it was sent.
 */
async function holds(turnMs: number, turns: number): Promise<boolean> {
  const world = new SimulatedClock()
  /** Milliseconds to the turn in which something is seen that happens in so many milliseconds. */
  const untilSeen = (ms: number): number =>
    Math.ceil((world.monotonicMs() + ms) / turnMs) * turnMs - world.monotonicMs()
  const clock: Clock = {
    nowMs: () => world.nowMs(),
    monotonicMs: () => world.monotonicMs(),
    after: (ms, run) => world.after(untilSeen(ms), run),
    sleep: (ms, signal) => world.sleep(untilSeen(ms), signal),
  }
  const memory = new MemoryEngine()
  const engine: Engine = {
    limits: memory.limits,
    get: (key) => memory.get(key),
    scan: (request) => memory.scan(request),
    scanTogether: (requests) => memory.scanTogether(requests),
    estimate: (range) => memory.estimate(range),
    openSnapshot: () => memory.openSnapshot(),
    watch: (key, changed) => memory.watch(key, changed),
    async commit(batch) {
      await memory.commit(batch)
      for (let turn = 0; turn < turns; turn++) await world.sleep(untilSeen(1))
    },
    close: () => memory.close(),
  }
  const member = await world.drive(
    OwnMember.open({
      engine,
      id: 'a',
      address: '',
      engines: [],
      exclusive: false,
      clock,
      random: seededRandom(1),
      log: silentLog,
      onExpelled: () => undefined,
      onReturned: () => undefined,
    }),
  )
  let held = true
  for (const end = world.monotonicMs() + 30_000; held && world.monotonicMs() < end;) {
    await world.pass(20)
    held = member.held
  }
  await world.drive(member.close())
  return held
}

for (const [turns, turnMs] of [
  [1, 1400],
  [2, 700],
  [3, 480],
] as const) {
  test(`with turns of ${turnMs} ms, and ${turns} of them for a renewal, it is renewed in time`, async () => {
    assert.equal(await holds(turnMs, turns), true)
  })
}

test('when a renewal and the next take longer than the time itself it is not, and the process stops serving', async () => {
  assert.equal(await holds(1600, 1), false)
})
