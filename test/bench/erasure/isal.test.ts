import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rsCode } from '../../../core/erasure/code.ts'
import { parityRows, planRecovery } from '../../../core/erasure/matrix.ts'
import { encode } from '../../../core/erasure/reference.ts'
import { loadIsal } from './isal.ts'

const isal = loadIsal()
const skip = isal === undefined ? 'libisal.so.2 is not installed' : false

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

test('the parity rows of every code are those of ISA-L', { skip }, () => {
  for (let k = 1; k <= 31; k++) {
    for (let m = 1; k + m <= 32; m++) assert.deepEqual(parityRows(rsCode(k, m)), isal?.cauchyRows(k, m))
  }
})

test('parity and recovered shards are those of ISA-L, bit by bit', { skip }, () => {
  for (const [k, m] of [
    [4, 2],
    [6, 3],
    [8, 4],
    [10, 4],
    [16, 16],
  ] as const) {
    const code = rsCode(k, m)
    const length = 1000
    const data = upTo(k).map((j) =>
      Uint8Array.from({ length }, (_, i) => (i * i * 31 + i * 7 + j * 113) >> 2),
    )
    const parity = upTo(m).map(() => new Uint8Array(length))
    isal?.multiplier(parityRows(code), data, parity, length)()
    assert.deepEqual(encode(code, data), parity)

    const shards = [...data, ...parity]
    const lost = upTo(m)
    const plan = planRecovery(
      code,
      upTo(code.total).filter((shard) => !lost.includes(shard)),
      lost,
    )
    const restored = lost.map(() => new Uint8Array(length))
    const sources = plan.sources.map((shard) => shards[shard] ?? assert.fail())
    isal?.multiplier(plan.rows, sources, restored, length)()
    assert.deepEqual(
      restored,
      lost.map((shard) => shards[shard]),
    )
  }
})
