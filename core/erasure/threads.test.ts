import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { parseCode } from './code.ts'
import { createKernel } from './kernel.ts'
import { createStripeMemory, shardOffsets, shardStride, slotBytes } from './memory.ts'

/** A thread that encodes the stripe it is told about, in the memory it is given, and ends. */
const ENCODER = `
  const { code, memory, offsets, shardBytes, kernel } = require('node:worker_threads').workerData
  import(kernel).then(({ createKernel }) => createKernel(code, memory).encode(offsets, shardBytes))
`

test('a stripe filled by one thread is encoded in place by another', async () => {
  const code = parseCode('rs-6-3')
  const shardBytes = 65_536 + 5
  const memory = createStripeMemory(2 * slotBytes(code, shardBytes))
  const offsets = shardOffsets(code, slotBytes(code, shardBytes), shardStride(shardBytes))
  const bytes = new Uint8Array(memory.buffer)
  for (const [shard, offset] of offsets.slice(0, code.k).entries()) {
    for (let i = 0; i < shardBytes; i++) bytes[offset + i] = Math.imul(i + shard, 2654435761) >>> 24
  }
  const here = createKernel(code, memory)
  assert.equal(here.verify(offsets, shardBytes), false)
  const kernel = new URL('kernel.ts', import.meta.url).href
  const worker = new Worker(ENCODER, {
    eval: true,
    workerData: { code, memory, offsets, shardBytes, kernel },
  })
  const ended: unknown[] = await once(worker, 'exit')
  assert.deepEqual(ended, [0])
  assert.equal(here.verify(offsets, shardBytes), true)
})
