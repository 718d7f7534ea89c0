import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCode } from './code.ts'
import { createKernel } from './kernel.ts'
import { parityRows } from './matrix.ts'
import { createStripeMemory } from './memory.ts'
import { encode } from './reference.ts'
import vectors from './vectors/rs.json' with { type: 'json' }

/** The vectors fix the format on disk: a change that breaks them makes every stored parity shard wrong. */
const hex = (bytes: Uint8Array | readonly number[]): string => Buffer.from(bytes).toString('hex')

for (const vector of vectors) {
  test(`known answers of ${vector.code}`, () => {
    const code = parseCode(vector.code)
    assert.deepEqual(parityRows(code).map(hex), vector.rows)
    const data = vector.data.map((shard) => Buffer.from(shard, 'hex'))
    assert.deepEqual(encode(code, data).map(hex), vector.parity)

    const size = data[0]?.length ?? 0
    const memory = createStripeMemory(code.total * size)
    const bytes = new Uint8Array(memory.buffer)
    const offsets = Array.from({ length: code.total }, (_, i) => i * size)
    for (const [i, shard] of data.entries()) bytes.set(shard, offsets[i])
    createKernel(code, memory).encode(offsets, size)
    const parity = offsets.slice(code.k).map((offset) => hex(bytes.slice(offset, offset + size)))
    assert.deepEqual(parity, vector.parity)
  })
}
