import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compareBytes } from './bytes.ts'
import {
  manifestPageKey,
  nullVersionKey,
  objectKey,
  partKey,
  uploadKey,
  uploadPurgeKey,
  versionKey,
} from './keys.ts'
import {
  comparePositions,
  engineRanges,
  holds,
  type PartitionRange,
  partitionOf,
  type Position,
  WHOLE_RANGE,
} from './partitions.ts'

const text = fc.string({
  unit: fc.constantFrom('\0', '\u0001', 'a', 'b', '\uffff', '\u{1F600}'),
  maxLength: 4,
})
const position = fc.record({ bucket: text, key: text })

function split(cuts: readonly Position[]): PartitionRange[] {
  const starts = [{ bucket: '', key: '' }, ...cuts]
    .sort(comparePositions)
    .filter((cut, index, all) => index === 0 || comparePositions(cut, all[index - 1] ?? cut) !== 0)
  return starts.map((start, index) => ({ id: index + 1, start, end: starts[index + 1] }))
}

test('one partition holds everything until it is split', () => {
  fc.assert(fc.property(position, (at) => assert.equal(partitionOf([WHOLE_RANGE], at).id, 1)))
})

test('exactly one partition of a split key space holds a position, and the search finds it', () => {
  fc.assert(
    fc.property(fc.array(position, { maxLength: 8 }), position, (cuts, at) => {
      const ranges = split(cuts)
      const holding = ranges.filter((range) => holds(range, at))
      assert.deepEqual(holding, [partitionOf(ranges, at)])
    }),
  )
})

test('a gap is told, not guessed over', () => {
  const gap = [{ id: 1, start: { bucket: 'b', key: '' }, end: undefined }]
  assert.throws(() => partitionOf(gap, { bucket: 'a', key: '' }), RangeError)
})

test('objects, versions, manifests, uploads and parts of a key lie in the ranges of its partition, and in no other', () => {
  fc.assert(
    fc.property(position, position, position, (a, b, at) => {
      const [start, end] = [a, b].sort(comparePositions)
      fc.pre(start !== undefined && end !== undefined)
      const range = { id: 1, start, end }
      const place = { ...at, uploadId: '0'.repeat(32) }
      const keys = [
        objectKey(at.bucket, at.key),
        manifestPageKey(at.bucket, at.key, place.uploadId, 7),
        uploadKey(place),
        partKey(place, 3),
        uploadPurgeKey(place),
        versionKey(at.bucket, at.key, 9n),
        nullVersionKey(at.bucket, at.key),
      ]
      for (const key of keys) {
        const inside = engineRanges(range).some(
          ({ gte, lt }) => compareBytes(gte, key) <= 0 && compareBytes(key, lt) < 0,
        )
        assert.equal(inside, holds(range, at))
      }
    }),
  )
})
