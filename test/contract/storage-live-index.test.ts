/** What a storage node finds of its shards while they are on their way into the index, and when the index fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { INDEX_DELAY_MS, INDEX_PENDING_RECORDS_MAX } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { LiveIndex } from '../../storage-node/index/live-index.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { LogRecord } from '../../storage-node/index/plan.ts'
import { IndexWriter } from '../../storage-node/index/writer.ts'
import { ManualClock } from './manual-clock.ts'
import { addressOf, blobOf } from './shard-requests.ts'

const BLOBS = 4

function setUp() {
  const clock = new ManualClock()
  const index = new MemoryIndex()
  const writer = new IndexWriter(index, [])
  const state = { writes: 0, fails: false }
  const live = new LiveIndex({
    clock,
    async apply(records) {
      if (state.fails) throw new Error('no room')
      state.writes++
      return await writer.apply(records)
    },
    get: (address) => index.get(address),
    getMany: (addresses) => index.getMany(addresses),
  })
  let sequence = 0
  const record = (kind: LogRecord['kind'], address: ShardAddress): LogRecord => {
    const offset = sequence * 100
    return {
      kind,
      address,
      location: { segment: 1, offset, ownerBytes: 10, dataBytes: 50, sequence: sequence++ },
      end: offset + 100,
      origin: 1,
    }
  }
  return { clock, index, writer, live, state, record }
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), blob: fc.nat(BLOBS - 1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bury' as const), blob: fc.nat(BLOBS - 1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('look', 'wait', 'fail', 'heal'), blob: fc.nat(BLOBS - 1) }),
  },
)

test('whatever waits, fails and comes back, what is found is the newest of what was taken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { clock, index, live, state, record } = setUp()
      const newest = new Map<number, number>()
      const looks: Promise<void>[] = []
      for (const { do: what, blob } of steps) {
        const address = addressOf(1, blobOf(blob))
        if (what === 'wait') clock.advance(INDEX_DELAY_MS)
        else if (what === 'fail') state.fails = true
        else if (what === 'heal') state.fails = false
        // Not awaited: later changes overtake it, and must not be undone by what it remembers.
        else if (what === 'look') looks.push(live.get(address).then(() => undefined))
        else {
          const one = record(what === 'put' ? 'put' : 'tombstone', address)
          try {
            const removed = await live.commit([one])
            assert.deepEqual(removed, [what === 'bury' && newest.has(blob) ? 1 : 0])
          } catch (error) {
            assert.ok(state.fails, String(error))
            continue
          }
          if (what === 'put') newest.set(blob, one.location.sequence)
          else newest.delete(blob)
        }
        for (let each = 0; each < BLOBS; each++) {
          const found = await live.get(addressOf(1, blobOf(each)))
          assert.equal(found?.sequence, newest.get(each))
        }
      }
      await Promise.all(looks)
      state.fails = false
      await live.flush()
      for (let each = 0; each < BLOBS; each++) {
        const address = addressOf(1, blobOf(each))
        assert.equal((await index.get(address))?.sequence, newest.get(each))
        assert.equal((await live.get(address))?.sequence, newest.get(each))
      }
    }),
  )
})

test('puts wait for the index, together, and no longer than promised', async () => {
  const { clock, live, state, record } = setUp()
  for (let blob = 0; blob < 10; blob++) await live.commit([record('put', addressOf(1, blobOf(blob)))])
  assert.equal(state.writes, 0)
  assert.ok(live.isBehind(1, blobOf(3)))
  clock.advance(INDEX_DELAY_MS)
  await live.flush()
  assert.equal(state.writes, 1)
  assert.ok(!live.isBehind(1, blobOf(3)))
})

test('no more puts wait than memory is set aside for', async () => {
  const { live, state, record } = setUp()
  for (let blob = 0; blob < INDEX_PENDING_RECORDS_MAX; blob++) {
    await live.commit([record('put', addressOf(1, blobOf(blob)))])
  }
  assert.equal(state.writes, 0)
  await live.commit([record('put', addressOf(1, blobOf(INDEX_PENDING_RECORDS_MAX)))])
  assert.equal(state.writes, 1)
})

test('after a write that failed, every put waits for the index until one succeeds', async () => {
  const { clock, live, state, record } = setUp()
  const first = record('put', addressOf(1, blobOf(1)))
  await live.commit([first])
  state.fails = true
  clock.advance(INDEX_DELAY_MS)
  await assert.rejects(live.flush(), /no room/)
  await assert.rejects(live.commit([record('put', addressOf(1, blobOf(2)))]), /no room/)
  assert.deepEqual(await live.get(first.address), first.location)
  assert.equal(await live.get(addressOf(1, blobOf(2))), undefined)
  state.fails = false
  await live.commit([record('put', addressOf(1, blobOf(3)))])
  assert.equal(state.writes, 1)
  await live.commit([record('put', addressOf(1, blobOf(4)))])
  assert.equal(state.writes, 1)
})
