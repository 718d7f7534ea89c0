import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode, rsCode } from './code.ts'
import {
  generatorMatrix,
  identity,
  invert,
  multiplyMatrix,
  parityRows,
  planRecovery,
  TooFewShardsError,
} from './matrix.ts'

test('the generator of every code is the identity over its parity rows', () => {
  for (let k = 1; k <= 32; k++) {
    for (let m = 0; k + m <= 32; m++) {
      const code = rsCode(k, m)
      const matrix = generatorMatrix(code)
      assert.deepEqual(matrix.slice(0, k), identity(k))
      assert.deepEqual(matrix.slice(k), parityRows(code))
      // A zero in a parity row would mean a shard that this parity does not protect.
      assert.ok(
        parityRows(code).every((row) => row.length === k && row.every((value) => value > 0 && value < 256)),
      )
    }
  }
})

test('any k rows of a generator can be inverted, at any size', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 32 }).chain((total) =>
        fc.record({
          k: fc.integer({ min: 1, max: total }),
          order: fc.shuffledSubarray(
            Array.from({ length: total }, (_, i) => i),
            { minLength: total },
          ),
        }),
      ),
      ({ k, order }) => {
        const code = rsCode(k, order.length - k)
        const generator = generatorMatrix(code)
        const chosen = order.slice(0, k).map((row) => generator[row] ?? assert.fail())
        assert.deepEqual(multiplyMatrix(invert(chosen), chosen), identity(k))
        assert.deepEqual(multiplyMatrix(chosen, invert(chosen)), identity(k))
      },
    ),
  )
})

test('matrices that have no inverse are refused', () => {
  assert.throws(() => invert([[0]]), /singular/)
  assert.throws(
    () =>
      invert([
        [1, 2],
        [2, 4],
      ]),
    /singular/,
  )
  assert.throws(() => invert([[1, 2]]), /square/)
  assert.deepEqual(invert([]), [])
})

test('a recovery reads data shards first, in order', () => {
  const code = parseCode('rs-4-2')
  assert.deepEqual(planRecovery(code, [5, 3, 0, 4, 2], [1]).sources, [0, 2, 3, 4])
  assert.deepEqual(planRecovery(code, [0, 1, 2, 3], [5, 4]).rows, parityRows(code).toReversed())
  assert.deepEqual(planRecovery(code, [0, 1, 2, 3], []).rows, [])
})

test('recoveries that make no sense are refused', () => {
  const code = parseCode('rs-4-2')
  assert.throws(() => planRecovery(code, [0, 1, 2], [3]), TooFewShardsError)
  assert.throws(() => planRecovery(code, [0, 1, 2, 2], [3]), RangeError)
  assert.throws(() => planRecovery(code, [0, 1, 2, 3], [3]), RangeError)
  assert.throws(() => planRecovery(code, [0, 1, 2, 6], [3]), RangeError)
  assert.throws(() => planRecovery(code, [0, 1, 2, 4], [-1]), RangeError)
})
