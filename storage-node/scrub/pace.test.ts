import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BACKGROUND_BUSY_REQUESTS, SCRUB_RATE_MAX, SCRUB_RATE_MIN } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { Pace, scrubRate } from './pace.ts'

const MIB = 1024 * 1024

/** A clock on which sleeping takes no time but its own. */
function quickClock(onSleep: (ms: number) => void = () => undefined): { clock: Clock; now: () => number } {
  let nowMs = 1000
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      nowMs += ms
      onSleep(ms)
      signal?.throwIfAborted()
    },
    after: () => () => undefined,
  }
  return { clock, now: () => nowMs }
}

const never = new AbortController().signal

test('a reader keeps to its rate, whatever the sizes of what it reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 * MIB }), { minLength: 1, maxLength: 30 }),
      fc.integer({ min: MIB, max: 100 * MIB }),
      async (slices, rate) => {
        const { clock, now } = quickClock()
        const pace = new Pace({ clock, rate: () => rate, load: () => 0, hurry: () => never })
        // The first is free: it is what there is to wait for.
        for (const bytes of slices) await pace.took(bytes, never)
        const bytes = slices.slice(1).reduce((sum, each) => sum + each, 0)
        assert.ok(Math.abs(now() - 1000 - (bytes / rate) * 1000) < 1e-3 * slices.length, String(now()))
      },
    ),
  )
})

test('under requests without end it goes on at half its rate', async () => {
  const { clock, now } = quickClock()
  const pace = new Pace({ clock, rate: () => MIB, load: () => BACKGROUND_BUSY_REQUESTS, hurry: () => never })
  for (let i = 0; i < 101; i++) await pace.took(MIB, never)
  const rate = 100 / ((now() - 1000 - 1000) / 1000)
  assert.ok(rate > 0.49 && rate < 0.51, String(rate))
})

test('it stands still while there are requests, and goes on when they end', async () => {
  let requests = BACKGROUND_BUSY_REQUESTS
  let slept = 0
  const { clock } = quickClock((ms) => {
    slept += ms
    if (slept >= 300) requests = BACKGROUND_BUSY_REQUESTS - 1
  })
  const pace = new Pace({ clock, rate: () => MIB, load: () => requests, hurry: () => never })
  await pace.took(MIB, never)
  assert.ok(slept >= 300 && slept < 400, String(slept))
})

test('whoever waits is woken when it is urgent, and stopped when it is over', async () => {
  const hurry = new AbortController()
  let slept = 0
  const { clock } = quickClock((ms) => {
    slept += ms
    hurry.abort()
  })
  const pace = new Pace({ clock, rate: () => MIB, load: () => 5, hurry: () => hurry.signal })
  await pace.took(100 * MIB, never)
  assert.ok(slept < 1000, String(slept))
  const over = AbortSignal.abort(Object.assign(new Error('over'), { code: 'OVER' }))
  await assert.rejects(pace.took(1, over), (error) => errnoOf(error) === 'OVER')
})

test('the rate brings all bytes in within the days, unless that is out of bounds', () => {
  const day = 24 * 60 * 60
  for (const bytes of [2e12, 50e12, 100e12]) {
    const days = bytes / scrubRate(bytes, 14) / day
    assert.ok(days < 14 && days > 10, String(days))
    // Even a node that is never idle takes no more than twice the time.
    assert.ok(2 * days < 28)
  }
  assert.equal(scrubRate(0, 14), SCRUB_RATE_MIN)
  assert.equal(scrubRate(1e18, 14), SCRUB_RATE_MAX)
})
