import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SLOW_READS_MAX, SUSPICION_MS_MAX, SUSPICION_MS_MIN } from '../../core/limits.ts'
import { SimulatedClock } from '../testing/simulated-clock.ts'
import { Suspicion } from './suspicion.ts'

test('a node that failed is left alone, then tried by one, and trusted again when that one succeeds', async () => {
  const clock = new SimulatedClock()
  const suspicion = new Suspicion(clock)
  assert.ok(suspicion.admits('n', 'write'))
  suspicion.failed('n', 'write')
  assert.ok(suspicion.suspects('n', 'write'))
  assert.ok(!suspicion.admits('n', 'write'))
  assert.ok(suspicion.admits('n', 'read'), 'a full disk can be read')
  assert.ok(suspicion.admits('other', 'write'))
  await clock.pass(SUSPICION_MS_MIN)
  assert.ok(suspicion.admits('n', 'write'), 'the probe')
  assert.ok(!suspicion.admits('n', 'write'), 'only one')
  suspicion.succeeded('n', 'write')
  assert.ok(suspicion.admits('n', 'write') && suspicion.admits('n', 'write'))
})

test('failures at the same time count once; further ones double the pause up to its bound', async () => {
  const clock = new SimulatedClock()
  const suspicion = new Suspicion(clock)
  let expected = SUSPICION_MS_MIN
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 5; i++) suspicion.failed('n', 'read')
    await clock.pass(expected - 1)
    assert.ok(suspicion.suspects('n', 'read'), `round ${round}`)
    await clock.pass(1)
    assert.ok(!suspicion.suspects('n', 'read'))
    assert.ok(suspicion.admits('n', 'read'))
    expected = Math.min(SUSPICION_MS_MAX, expected * 2)
  }
})

test('a probe that never answers lets the next one through after a pause', async () => {
  const clock = new SimulatedClock()
  const suspicion = new Suspicion(clock)
  suspicion.failed('n', 'read')
  await clock.pass(SUSPICION_MS_MIN)
  assert.ok(suspicion.admits('n', 'read'))
  assert.ok(!suspicion.admits('n', 'read'))
  await clock.pass(2 * SUSPICION_MS_MIN)
  assert.ok(suspicion.admits('n', 'read'))
})

test('being outrun now and then is no failure, being outrun every time is', () => {
  const suspicion = new Suspicion(new SimulatedClock())
  for (let i = 0; i < 20; i++) {
    suspicion.outrun('n')
    if (i % 2 === 1) suspicion.succeeded('n', 'read')
  }
  assert.ok(!suspicion.suspects('n', 'read'))
  for (let i = 0; i < SLOW_READS_MAX; i++) suspicion.outrun('n')
  assert.ok(suspicion.suspects('n', 'read'))
  assert.ok(!suspicion.suspects('n', 'write'))
})
