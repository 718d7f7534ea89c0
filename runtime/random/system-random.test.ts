import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemRandom } from './system-random.ts'

test('every request gets bytes of its own, of the length asked for', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 5000; i++) {
    const bytes = systemRandom.bytes(10)
    assert.equal(bytes.length, 10)
    seen.add(Buffer.from(bytes).toString('hex'))
  }
  assert.equal(seen.size, 5000)
  for (const length of [0, 1, 63, 64, 65, 5000]) assert.equal(systemRandom.bytes(length).length, length)
})

test('what was handed out is not changed later', () => {
  const first = systemRandom.bytes(32)
  const copy = first.slice()
  for (let i = 0; i < 1000; i++) systemRandom.bytes(32)
  assert.deepEqual(first, copy)
})

test('bits look even', () => {
  let ones = 0
  const draws = 4000
  for (let i = 0; i < draws; i++) {
    for (const byte of systemRandom.bytes(16)) ones += byte.toString(2).replaceAll('0', '').length
  }
  const bits = draws * 16 * 8
  // Six standard deviations: once in a billion runs.
  assert.ok(Math.abs(ones - bits / 2) < 6 * Math.sqrt(bits / 4), `${ones} of ${bits}`)
})
