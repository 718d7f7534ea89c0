import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SimulatedClock } from '../store/testing/simulated-clock.ts'
import { Budget } from './budget.ts'

test('without a limit nothing waits', async () => {
  const clock = new SimulatedClock()
  await new Budget(clock, 0).take(Number.MAX_SAFE_INTEGER)
  assert.equal(clock.monotonicMs(), 0)
})

test('over any run of pieces, no more passes than the rate, a second of savings and one piece', async () => {
  const pieces = fc.array(fc.record({ bytes: fc.nat(3000), idleMs: fc.nat(3000) }), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(pieces, async (run) => {
      const clock = new SimulatedClock()
      const budget = new Budget(clock, 1000)
      let passed = 0
      let largest = 0
      let idle = 0
      for (const { bytes, idleMs } of run) {
        await clock.pass(idleMs)
        idle += idleMs
        await clock.drive(budget.take(bytes))
        passed += bytes
        largest = Math.max(largest, bytes)
        assert.ok(passed <= clock.monotonicMs() + 1000 + largest + 1e-6)
      }
      // And it is no slower than that: what took longer than the idle times was paid for.
      assert.ok(clock.monotonicMs() <= idle + passed + 1e-6)
    }),
    { numRuns: 50 },
  )
})

test('whoever gives up does not hold up those behind', async () => {
  const clock = new SimulatedClock()
  const budget = new Budget(clock, 1000)
  await clock.drive(budget.take(5000))
  const controller = new AbortController()
  const waiting = budget.take(1000, controller.signal)
  controller.abort(new Error('gone'))
  await assert.rejects(waiting, { message: 'gone' })
  await clock.drive(budget.take(1))
  assert.ok(clock.monotonicMs() <= 6000)
})
