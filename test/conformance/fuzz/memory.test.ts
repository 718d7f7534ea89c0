/** Requests that are refused leave nothing behind in the gateway's memory, however many there are. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { requests } from './arbitraries.ts'
import type { FuzzRequest } from './client.ts'
import { startWorld } from './world.ts'

const DIFFERENT = 300
const TIMES = 12
/** What is left of one request would be at least its request id and its headers, about a kilobyte. */
const BYTES_PER_REQUEST_MAX = 200

const world = await startWorld()
after(() => {
  world.fuzz.close()
})

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

function heapUsed(): number {
  assert.ok(typeof collect === 'function')
  for (let i = 0; i < 3; i++) Reflect.apply(collect, undefined, [])
  return process.memoryUsage().heapUsed
}

test('the heap after thousands of refused requests is what it was', { timeout: 600_000 }, async () => {
  const known = { buckets: ['fuzz-missing'], keys: ['one', 'two'], values: [] }
  const sample = fc.sample(requests(known), { numRuns: DIFFERENT, seed: 20261120 })
  // One that is let in would store something.
  const refused = sample.map((request): FuzzRequest => ({ ...request, signature: 'wrong' }))
  const round = async (): Promise<void> => {
    for (const request of refused) {
      const { status } = await world.fuzz.send(request)
      assert.ok(status >= 400, `${request.method} ${request.target} → ${status}`)
    }
  }
  // What is made once, such as compiled code and caches, is there after these.
  for (let i = 0; i < TIMES; i++) await round()
  const before = heapUsed()
  for (let i = 0; i < TIMES; i++) await round()
  const grown = (heapUsed() - before) / (TIMES * DIFFERENT)
  assert.ok(grown < BYTES_PER_REQUEST_MAX, `${grown.toFixed(0)} bytes of heap stay of each request`)
})
