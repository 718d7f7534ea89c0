import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STRIPE_FILL_BYTES_PER_S_MIN, STRIPE_FILL_GRACE_MS, STRIPE_FILL_LOOK_MS } from '../../core/limits.ts'
import { Scope } from '../scope.ts'
import { SimulatedClock } from '../testing/simulated-clock.ts'
import { Fills } from './fills.ts'
import { StripeMemory } from './stripe-memory.ts'

const UNIT = 4096

test('the slowest gives up, of those that are too slow for longer than the grace', async () => {
  const clock = new SimulatedClock()
  const fills = new Fills(clock)
  const given: string[] = []
  const begin = (name: string, bytes: number) =>
    fills.begin({ filled: () => bytes, giveUp: () => void given.push(name) })
  const enough = (STRIPE_FILL_BYTES_PER_S_MIN * STRIPE_FILL_GRACE_MS) / 1000
  begin('fast', enough)
  begin('slow', enough - 1)
  begin('slower', 10)
  const end = begin('ended', 0)
  await clock.pass(1)
  begin('new', 0)
  await clock.pass(STRIPE_FILL_GRACE_MS - 2)
  fills.giveUpSlowest()
  assert.deepEqual(given, [])
  await clock.pass(1)
  end()
  for (let i = 0; i < 4; i++) fills.giveUpSlowest()
  assert.deepEqual(given, ['slower', 'slow'])
  await clock.pass(1)
  fills.giveUpSlowest()
  assert.deepEqual(given, ['slower', 'slow', 'new'])
})

test('nobody is looked for but while somebody waits, and one at a time', async () => {
  const clock = new SimulatedClock()
  const memory = new StripeMemory(clock, 0, 3 * UNIT)
  const given: number[] = []
  for (let i = 0; i < 3; i++) {
    const lease = await memory.acquire(UNIT, new Scope())
    const giveUp = (): void => {
      given.push(clock.monotonicMs())
      lease.release()
    }
    memory.fills.begin({ filled: () => i, giveUp })
  }
  await clock.pass(60_000)
  assert.deepEqual(given, [])
  const lease = await clock.drive(memory.acquire(2 * UNIT, new Scope()))
  assert.deepEqual(given, [60_000 + STRIPE_FILL_LOOK_MS, 60_000 + 2 * STRIPE_FILL_LOOK_MS])
  await clock.pass(60_000)
  assert.equal(given.length, 2)
  lease.release()
})
