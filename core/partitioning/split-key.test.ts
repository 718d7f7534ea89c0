import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { comparePositions, type Position } from '../keyspace/partitions.ts'
import { encodeUtf8 } from '../keyspace/utf8.ts'
import { SPLIT_SAMPLES_MIN } from '../limits.ts'
import type { WeightedPosition } from './load.ts'
import { chooseSplitKey } from './split-key.ts'

const EVERYTHING = { start: { bucket: '', key: '' }, end: undefined }

// Few characters, so that keys share prefixes; the astral ones share their first surrogate.
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '\uffff', '\u{1F600}', '\u{1F601}', '\0'),
  maxLength: 6,
})
const position = fc.record({ bucket: fc.constantFrom('a', 'b', 'c'), key: text })
const weighted = fc.record({
  bucket: fc.constantFrom('a', 'b'),
  key: text,
  weight: fc.double({ min: 0.01, max: 9, noNaN: true }),
})
const sample = fc.array(weighted, { minLength: SPLIT_SAMPLES_MIN, maxLength: 80 })

const at = (key: string, weight = 1, bucket = 'b'): WeightedPosition => ({ bucket, key, weight })
/** So many keys of a prefix. */
const keys = (prefix: string, count: number): WeightedPosition[] =>
  Array.from({ length: count }, (_, index) => at(`${prefix}${String(index).padStart(4, '0')}`))

function sharesAt(inside: readonly WeightedPosition[], split: Position): number {
  const sum = (some: readonly WeightedPosition[]): number =>
    some.reduce((total, { weight }) => total + weight, 0)
  return sum(inside.filter((one) => comparePositions(one, split) < 0)) / sum(inside)
}

test('a split lies strictly inside its range, is well-formed, has the share it says, and says it again', () => {
  fc.assert(
    fc.property(sample, position, fc.option(position, { nil: undefined }), (all, one, other) => {
      const [start, end] = other === undefined ? [one, undefined] : [one, other].sort(comparePositions)
      fc.pre(start !== undefined)
      const range = { start, end }
      const choice = chooseSplitKey(range, all)
      assert.deepEqual(chooseSplitKey(range, all.toReversed().toReversed()), choice)
      const inside = all.filter(
        (seen) =>
          comparePositions(seen, start) >= 0 && (end === undefined || comparePositions(seen, end) < 0),
      )
      if (choice.at === undefined) {
        if (choice.reason === 'too-few-samples') assert.ok(inside.length < SPLIT_SAMPLES_MIN)
        else assert.ok(heaviest(inside) > 0.5)
        return
      }
      assert.ok(comparePositions(choice.at, start) > 0)
      assert.ok(end === undefined || comparePositions(choice.at, end) < 0)
      encodeUtf8(choice.at.key)
      const share = sharesAt(inside, choice.at)
      assert.ok(Math.abs(share - choice.share) < 1e-9)
      assert.ok(share >= 0.25 - 1e-9 && share <= 0.75 + 1e-9)
    }),
  )
})

/** Share of the key with the most weight. */
function heaviest(inside: readonly WeightedPosition[]): number {
  const weights = new Map<string, number>()
  let total = 0
  for (const { bucket, key, weight } of inside) {
    const name = `${bucket} ${key}`
    weights.set(name, (weights.get(name) ?? 0) + weight)
    total += weight
  }
  return Math.max(...weights.values()) / total
}

test('where a boundary of 40 to 60 % is to be had, none outside is taken; a bucket goes before a prefix, that before a key', () => {
  fc.assert(
    fc.property(sample, (all) => {
      const choice = chooseSplitKey(EVERYTHING, all)
      const good = (candidate: Position): boolean => {
        const share = sharesAt(all, candidate)
        return share >= 0.4 + 1e-9 && share <= 0.6 - 1e-9
      }
      const prefixes = all.flatMap(({ bucket, key }) =>
        [...key.matchAll(/\//g)].map((match) => ({ bucket, key: key.slice(0, match.index + 1) })),
      )
      const boundary = choice.at === undefined ? undefined : choice.boundary
      if (all.some(good)) {
        assert.ok(choice.at !== undefined && choice.share >= 0.4 - 1e-9 && choice.share <= 0.6 + 1e-9)
      }
      if (good({ bucket: 'b', key: '' })) assert.equal(boundary, 'bucket')
      else if (prefixes.some(good)) assert.equal(boundary, 'prefix')
    }),
  )
})

test('the plain cases', () => {
  const buckets = [...keys('x', 40), ...keys('x', 50).map((one) => ({ ...one, bucket: 'c' }))]
  assert.deepEqual(chooseSplitKey(EVERYTHING, buckets), {
    at: { bucket: 'c', key: '' },
    boundary: 'bucket',
    share: 40 / 90,
  })

  // 49 % before logs/2/, of which the deeper prefix at 50 % makes nothing better.
  const prefixes = [...keys('logs/1/', 49), ...keys('logs/2/a/', 1), ...keys('logs/2/b/', 50)]
  assert.deepEqual(chooseSplitKey(EVERYTHING, prefixes), {
    at: { bucket: 'b', key: 'logs/2/' },
    boundary: 'prefix',
    share: 0.49,
  })

  const hexadecimal = Array.from({ length: 256 }, (_, index) =>
    at(`${index.toString(16).padStart(2, '0')}-photo.jpg`),
  )
  assert.deepEqual(chooseSplitKey(EVERYTHING, hexadecimal), {
    at: { bucket: 'b', key: '8' },
    boundary: 'key',
    share: 0.5,
  })

  const uneven = [at('a', 30), at('b', 30), ...keys('c', 40)]
  assert.deepEqual(chooseSplitKey(EVERYTHING, uneven), {
    at: { bucket: 'b', key: 'c' },
    boundary: 'key',
    share: 0.6,
  })
})

test('one hot key is not split, though others be there; nor is what was hardly seen', () => {
  const hot = [...keys('a', 20), at('hot', 61), ...keys('z', 20)]
  assert.deepEqual(chooseSplitKey(EVERYTHING, hot), { at: undefined, reason: 'single-key' })
  const few = keys('a', SPLIT_SAMPLES_MIN - 1)
  assert.deepEqual(chooseSplitKey(EVERYTHING, few), { at: undefined, reason: 'too-few-samples' })
  assert.notEqual(chooseSplitKey(EVERYTHING, [...few, at('b')]).at, undefined)
  const outside = { start: { bucket: 'b', key: 'b' }, end: undefined }
  assert.deepEqual(chooseSplitKey(outside, [...few, at('b')]), { at: undefined, reason: 'too-few-samples' })
})
