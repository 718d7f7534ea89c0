import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  HEDGE_DELAY_MS_MAX,
  HEDGE_DELAY_MS_MIN,
  HEDGE_SAMPLES,
  HEDGE_TOKENS_MAX,
  HEDGE_TOKENS_PER_READ,
} from '../../core/limits.ts'
import { HedgePolicy } from './hedge-policy.ts'

test('without tokens nothing is ever hedged', () => {
  const policy = new HedgePolicy(0)
  for (let i = 0; i < 1000; i++) policy.observe(1)
  assert.equal(policy.spend(), false)
})

test('the delay is twice the 95th percentile of late, within its bounds, and follows changes', () => {
  const policy = new HedgePolicy()
  const observe = (ms: (i: number) => number): void => {
    for (let i = 0; i < HEDGE_SAMPLES; i++) policy.observe(ms(i))
  }
  observe((i) => (i % 50 === 0 ? 5000 : 40))
  assert.equal(policy.delayMs, 80, 'two slow ones in a hundred do not move it')
  observe(() => 0.1)
  assert.equal(policy.delayMs, HEDGE_DELAY_MS_MIN)
  observe(() => 60_000)
  assert.equal(policy.delayMs, HEDGE_DELAY_MS_MAX)
  observe((i) => (i % 10 === 0 ? 100 : 10))
  assert.equal(policy.delayMs, 200, 'one in ten does')
})

test('hedges are paid for by reads that needed none', () => {
  const policy = new HedgePolicy()
  for (let i = 0; i < HEDGE_TOKENS_MAX; i++) assert.ok(policy.spend())
  assert.ok(!policy.spend())
  for (let i = 0; i < Math.ceil(1 / HEDGE_TOKENS_PER_READ); i++) policy.observe(1)
  assert.ok(policy.spend())
  assert.ok(!policy.spend())
})
