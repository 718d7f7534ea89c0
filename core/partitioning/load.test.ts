import assert from 'node:assert/strict'
import test from 'node:test'
import { LOAD_SAMPLES_MAX, LOAD_SECONDS } from '../limits.ts'
import { PartitionLoad } from './load.ts'

const EQUAL = { write: 1, read: 1 }

/** Requests spread evenly over a second. */
function second(load: PartitionLoad, from: number, count: number, key: (index: number) => string): void {
  for (let index = 0; index < count; index++) {
    load.count('write', 'b', key(index), from + (index * 1000) / count)
  }
}

test('rates are those of whole seconds; seconds without requests count', () => {
  const load = new PartitionLoad(500, 1)
  second(load, 500, 10, String)
  assert.deepEqual(load.rates(1000), { writes: [], reads: [] })
  second(load, 2000, 7, String)
  load.count('read', 'b', 'k', 3000)
  load.count('read', 'b', 'k', 5999)
  assert.deepEqual(load.rates(6000), { writes: [5, 7, 0, 0, 0], reads: [0, 0, 1, 0, 1] })
  assert.deepEqual(load.rates(6999).writes.length, 5)
  const { writes, reads } = load.rates(6000 + LOAD_SECONDS * 1000)
  assert.equal(writes.length, LOAD_SECONDS)
  assert.deepEqual(
    [...writes, ...reads],
    Array.from({ length: 2 * LOAD_SECONDS }, () => 0),
  )
})

test('the newest seconds replace the oldest, over and over', () => {
  const load = new PartitionLoad(0, 1)
  for (let at = 0; at < 200; at++) second(load, at * 1000, at, String)
  const expected = Array.from({ length: LOAD_SECONDS }, (_, index) => 200 - LOAD_SECONDS + index)
  assert.deepEqual(load.rates(200_000).writes, expected)
})

test('the histogram is bounded, and tells shares at any rate, patterns included', () => {
  for (const rate of [60, 1000, 40_000]) {
    const load = new PartitionLoad(0, 7)
    // Every fourth request goes to one key, always in the same turn.
    for (let at = 0; at < 12; at++) {
      second(load, at * 1000, rate, (index) => (index % 4 === 0 ? 'hot' : `k${index}`))
    }
    const histogram = load.histogram(12_000, EQUAL)
    assert.ok(histogram.length <= LOAD_SAMPLES_MAX && histogram.length > LOAD_SAMPLES_MAX / 2)
    const total = histogram.reduce((sum, { weight }) => sum + weight, 0)
    const hot = histogram.reduce((sum, { key, weight }) => sum + (key === 'hot' ? weight : 0), 0)
    assert.ok(Math.abs(hot / total - 0.25) < 0.06, `${hot / total} at ${rate}/s`)
  }
})

test('a sudden storm does not push everything else out of the sample for its whole second', () => {
  const load = new PartitionLoad(0, 3)
  second(load, 0, 40, (index) => `quiet${index}`)
  second(load, 1000, 500_000, () => 'storm')
  const histogram = load.histogram(2000, EQUAL)
  assert.ok(histogram.some(({ key }) => key.startsWith('quiet')))
  const weight = histogram.reduce((sum, one) => sum + (one.key === 'storm' ? one.weight : 0), 0)
  assert.ok(weight > 300_000 && weight < 700_000, String(weight))
})

test('what was seen fades; a kind weighs as much as told', () => {
  const load = new PartitionLoad(0, 1)
  load.count('write', 'b', 'k', 0)
  load.count('read', 'b', 'k', 0)
  assert.deepEqual(
    load.histogram(10_000, { write: 8, read: 2 }).map(({ weight }) => weight),
    [4, 1],
  )
  assert.deepEqual(load.histogram(40_000, EQUAL), [])
})

test('the same requests give the same histogram', () => {
  const [one, other] = [5, 5].map((seed) => {
    const load = new PartitionLoad(0, seed)
    for (let at = 0; at < 3; at++) second(load, at * 1000, 3000, String)
    return load.histogram(3000, EQUAL)
  })
  assert.deepEqual(one, other)
})
