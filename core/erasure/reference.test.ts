import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode, replicaCode, rsCode } from './code.ts'
import { TooFewShardsError } from './matrix.ts'
import { encode, encodeStripe, reconstruct, verify } from './reference.ts'

test('a stripe is cut as the layout says, and any k shards give it back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 4 }),
      fc.uint8Array({ minLength: 1, maxLength: 9000 }),
      fc.nat(),
      (k, m, data, seed) => {
        const code = rsCode(k, m)
        const shards = encodeStripe(code, data)
        assert.equal(shards.length, code.total)
        const joined = Buffer.concat(shards.slice(0, k))
        assert.equal(Buffer.compare(joined.subarray(0, data.length), data), 0)
        assert.ok(joined.subarray(data.length).every((byte) => byte === 0))
        assert.equal(verify(code, shards), true)
        const holes = shards.map((shard, i) => ((i + seed) % code.total < m ? undefined : shard))
        assert.deepEqual(reconstruct(code, holes), shards)
      },
    ),
    { numRuns: 50 },
  )
})

test('replicas are copies', () => {
  const code = replicaCode(3)
  const data = Uint8Array.of(1, 2, 255)
  assert.deepEqual(encodeStripe(code, data), [data, data, data])
  assert.deepEqual(reconstruct(code, [undefined, undefined, data]), [data, data, data])
})

test('verify sees a changed byte', () => {
  const code = parseCode('rs-4-2')
  const shards = encodeStripe(code, Uint8Array.of(1, 2, 3))
  for (const shard of shards) {
    shard[4095] = (shard[4095] ?? 0) ^ 1
    assert.equal(verify(code, shards), false)
    shard[4095] = (shard[4095] ?? 0) ^ 1
  }
  assert.equal(verify(code, shards), true)
})

test('too few shards, wrong numbers and unequal lengths are refused', () => {
  const code = parseCode('rs-2-1')
  const [a, b] = [Uint8Array.of(1), Uint8Array.of(2, 3)]
  assert.throws(() => reconstruct(code, [a, undefined, undefined]), TooFewShardsError)
  assert.throws(() => reconstruct(code, [a, a]), RangeError)
  assert.throws(() => reconstruct(code, [a, b, undefined]), RangeError)
  assert.throws(() => encode(code, [a]), RangeError)
  assert.throws(() => encode(code, [a, b]), RangeError)
  assert.throws(() => verify(code, [a, a, b]), RangeError)
})
