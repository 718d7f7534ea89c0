import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from '../random/system-random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { Clock } from '../ports/clock.ts'
import { createClusterToken, verifyClusterToken } from './cluster-token.ts'

const at = (nowMs: number): Clock => ({ ...systemClock, nowMs: () => nowMs })

test('a token is taken with the secret it was made with, and only near its time', () => {
  const token = createClusterToken('secret', at(1_000_000_000_000), systemRandom)
  assert.equal(verifyClusterToken('secret', token, at(1_000_000_060_000)), true)
  assert.equal(verifyClusterToken('other', token, at(1_000_000_060_000)), false)
  assert.equal(verifyClusterToken('secret', token, at(1_000_000_301_000)), false)
  assert.equal(verifyClusterToken('secret', token, at(999_999_699_000)), false)
})

test('anything else is refused', () => {
  const token = createClusterToken('secret', at(1), systemRandom)
  const flipped = token.slice(0, -1) + (token.endsWith('0') ? '1' : '0')
  for (const bad of ['', 'x', flipped, `${token}0`, `9${token}`]) {
    assert.equal(verifyClusterToken('secret', bad, at(1)), false, bad)
  }
})
