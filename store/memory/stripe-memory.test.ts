import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { STRIPE_MEMORY_WAIT_MS, STRIPE_MEMORY_WAITERS_MAX } from '../../core/limits.ts'
import { Scope } from '../scope.ts'
import { SimulatedClock } from '../testing/simulated-clock.ts'
import { StripeMemory, type MemoryLease } from './stripe-memory.ts'

const UNIT = 4096

test('leases never overlap, stay inside, and all that is given back can be had in one piece', async () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 1, max: 20 * UNIT }) }),
    fc.record({ give: fc.nat(50) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const clock = new SimulatedClock()
      const memory = new StripeMemory(clock, 7 * UNIT, 100 * UNIT)
      const held: { lease: MemoryLease; bytes: number }[] = []
      for (const action of steps) {
        if ('take' in action) {
          const bytes = Math.ceil(action.take / UNIT) * UNIT
          const lease = await clock.drive(memory.acquire(action.take, new Scope())).catch(() => undefined)
          if (lease === undefined) continue
          assert.ok(lease.at % UNIT === 0 && lease.at >= 7 * UNIT && lease.at + bytes <= 107 * UNIT)
          for (const other of held) {
            assert.ok(lease.at + bytes <= other.lease.at || other.lease.at + other.bytes <= lease.at)
          }
          held.push({ lease, bytes })
        } else {
          held.splice(action.give % Math.max(1, held.length), 1)[0]?.lease.release()
        }
        assert.equal(
          memory.usedBytes,
          held.reduce((sum, { bytes }) => sum + bytes, 0),
        )
      }
      for (const { lease } of held) lease.release()
      const whole = await memory.acquire(100 * UNIT, new Scope())
      assert.equal(whole.at, 7 * UNIT)
    }),
  )
})

test('who waits is served in order, and a big one is not overtaken by small ones', async () => {
  const clock = new SimulatedClock()
  const memory = new StripeMemory(clock, 0, 4 * UNIT)
  const first = await memory.acquire(2 * UNIT, new Scope())
  const second = await memory.acquire(2 * UNIT, new Scope())
  const order: string[] = []
  const queue = (name: string, bytes: number) =>
    memory.acquire(bytes, new Scope()).then((lease) => {
      order.push(name)
      return lease
    })
  const big = queue('big', 4 * UNIT)
  const small = queue('small', UNIT)
  assert.equal(memory.waiting, 2)
  first.release()
  await clock.drive(Promise.resolve())
  assert.deepEqual(order, [])
  second.release()
  const bigLease = await big
  assert.deepEqual(order, ['big'])
  bigLease.release()
  await small
  assert.deepEqual(order, ['big', 'small'])
})

test('waiting ends: in time, by the scope, and by too many who wait; those behind then move up', async () => {
  const clock = new SimulatedClock()
  const memory = new StripeMemory(clock, 0, 4 * UNIT)
  const held = await memory.acquire(2 * UNIT, new Scope())
  const began = clock.monotonicMs()
  const scope = new Scope()
  const late = memory.acquire(4 * UNIT, new Scope())
  const aborted = memory.acquire(4 * UNIT, scope)
  const gone = new Error('gone')
  scope.abort(gone)
  await assert.rejects(aborted, gone)
  await assert.rejects(memory.acquire(UNIT, scope), gone)
  const behind = memory.acquire(2 * UNIT, new Scope())
  await assert.rejects(clock.drive(late), { code: 'overloaded' })
  assert.equal(clock.monotonicMs() - began, STRIPE_MEMORY_WAIT_MS)
  const lease = await behind
  await assert.rejects(memory.acquire(5 * UNIT, new Scope()), { code: 'overloaded' })
  const waiting = Array.from({ length: STRIPE_MEMORY_WAITERS_MAX }, () => memory.acquire(UNIT, new Scope()))
  await assert.rejects(memory.acquire(UNIT, new Scope()), { code: 'overloaded' })
  held.release()
  lease.release()
  const settled = Promise.all(waiting.map(async (waiter) => (await waiter).release()))
  await settled
  assert.equal(memory.usedBytes, 0)
  assert.throws(() => {
    held.release()
  }, /twice/)
})
