import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCode } from '../core/erasure/code.ts'
import {
  READ_STRIPES_MAX,
  SHARD_BYTES_MAX,
  STRIPE_FILL_BYTES_PER_S_MIN,
  STRIPE_FILL_LOOK_MS,
  WRITE_STRIPES_MAX,
} from '../core/limits.ts'
import { stripeSlotBytes } from '../runtime/compute/stripe-slot.ts'
import { DOWN } from './testing/fake-shards.ts'
import { acceptAny, bytesOf, createHarness, putRequest } from './testing/harness.ts'

const MIB = 1024 * 1024
const STRIPE = stripeSlotBytes(parseCode('rs-4-2'), SHARD_BYTES_MAX)

/** Watches the most that is ever held, at every chunk that is asked for. */
function watched(harness: ReturnType<typeof createHarness>, size: number) {
  let most = 0
  const chunk = bytesOf(MIB)
  const look = (): void => {
    most = Math.max(most, harness.store.cluster().memory.writeBytesUsed)
  }
  async function* bytes() {
    for (let left = size; left > 0; left -= chunk.length) {
      await Promise.resolve()
      look()
      yield left >= chunk.length ? chunk : chunk.subarray(0, left)
    }
  }
  return { content: { size, bytes: bytes(), digests: [], accept: acceptAny }, most: () => most }
}

test('an upload of 5 GiB never holds more than three stripes, nor sends more than two', async () => {
  const harness = createHarness({ countOnly: true })
  const size = 5 * 1024 * MIB
  const { content, most } = watched(harness, size)
  const record = await harness.clock.drive(harness.store.putObject(putRequest('key', content)))
  assert.equal(Number(record.size), size)
  assert.ok(most() <= WRITE_STRIPES_MAX * STRIPE, `${most()} bytes held`)
  assert.ok(most() >= 2 * STRIPE, 'one is filled while another is on its way')
  assert.ok(harness.shards.bytesInFlightMax <= WRITE_STRIPES_MAX * 6 * MIB)
  assert.equal(harness.shards.shardCount, (size / (4 * MIB)) * 6)
  await harness.assertIdle()
  await harness.store.close()
})

test('many uploads share what is set aside; each gets its turn', async () => {
  const harness = createHarness({ countOnly: true }, { writeMemoryBytes: 4 * STRIPE })
  const uploads = Array.from({ length: 20 }, () => watched(harness, 32 * MIB))
  const nodes = [...harness.shards.nodes.keys()]
  harness.shards.afflict(nodes, { kind: 'slow', ms: 50 })
  const records = await harness.clock.drive(
    Promise.all(uploads.map(({ content }, i) => harness.store.putObject(putRequest(`k${i}`, content)))),
  )
  assert.equal(records.length, 20)
  for (const { most } of uploads) assert.ok(most() <= 4 * STRIPE)
  await harness.assertIdle()
  await harness.store.close()
})

/** Bytes a second that nobody is asked to give up for. */
const SLOW_ENOUGH = 1.1 * STRIPE_FILL_BYTES_PER_S_MIN

/** A content that comes at a rate, in pieces of a tenth of a second; at 0 its first byte is its last. */
function trickled(harness: ReturnType<typeof createHarness>, size: number, bytesPerSecond: number) {
  const piece = bytesOf(Math.min(size, Math.max(1, Math.floor(bytesPerSecond / 10))))
  async function* bytes() {
    yield piece.subarray(0, 1)
    if (bytesPerSecond === 0) await Promise.withResolvers().promise
    for (let left = size - 1; left > 0; left -= piece.length) {
      await harness.clock.sleep(100)
      yield left >= piece.length ? piece : piece.subarray(0, left)
    }
  }
  return { size, bytes: bytes(), digests: [], accept: acceptAny }
}

test('clients that trickle hold memory until others need it: then the slowest give up, and nobody else', async () => {
  const harness = createHarness({ countOnly: true }, { writeMemoryBytes: 4 * STRIPE })
  const { store, clock } = harness
  const put = (key: string, bytesPerSecond: number, size = 8 * MIB) => {
    const done = store.putObject(putRequest(key, trickled(harness, size, bytesPerSecond)))
    done.catch(() => undefined)
    return done
  }
  const stalled = put('stalled', 0)
  const trickling = put('trickling', 1024)
  const slow = put('slow', SLOW_ENOUGH)
  const faster = put('faster', 2 * SLOW_ENOUGH)
  // As long as nobody waits they may take their time.
  await clock.pass(20_000)
  assert.equal(store.cluster().memory.writeBytesUsed, 4 * STRIPE)
  const began = clock.monotonicMs()
  const late = watched(harness, 32 * MIB)
  await clock.drive(store.putObject(putRequest('late', late.content)))
  await assert.rejects(stalled, { code: 'overloaded' })
  // One stripe is enough to go on with; its stripes come free as fast as they are stored.
  assert.ok(clock.monotonicMs() - began <= 3 * STRIPE_FILL_LOOK_MS)
  const many = Array.from({ length: 10 }, (_, i) => put(`fast-${i}`, 64 * MIB))
  await clock.drive(Promise.all(many))
  await assert.rejects(clock.drive(trickling), { code: 'overloaded' })
  const kept = await clock.drive(Promise.all([slow, faster]))
  assert.deepEqual(
    kept.map(({ size }) => Number(size)),
    [8 * MIB, 8 * MIB],
  )
  await harness.assertIdle()
  await store.close()
})

test('all who hold memory are new: the rest waits, and is told to come again when nothing comes free', async () => {
  const harness = createHarness({ countOnly: true }, { writeMemoryBytes: 2 * STRIPE })
  const { store, clock } = harness
  const fair = [1, 2].map((i) =>
    store.putObject(putRequest(`fair-${i}`, trickled(harness, 8 * MIB, SLOW_ENOUGH))),
  )
  const both = Promise.all(fair)
  await clock.pass(100)
  // A client that sent nothing yet holds nothing.
  const silent = new AbortController()
  async function* saysNothing() {
    await Promise.withResolvers().promise
    yield bytesOf(1)
  }
  const nothing = { size: 8 * MIB, bytes: saysNothing(), digests: [], accept: acceptAny }
  const mute = store.putObject(putRequest('mute', nothing), silent.signal)
  mute.catch(() => undefined)
  const late = watched(harness, 8 * MIB)
  await assert.rejects(clock.drive(store.putObject(putRequest('late', late.content))), { code: 'overloaded' })
  assert.equal(store.cluster().memory.writeBytesUsed, 2 * STRIPE)
  silent.abort()
  await assert.rejects(clock.drive(mute), { name: 'AbortError' })
  assert.equal((await clock.drive(both)).length, 2)
  const again = watched(harness, 8 * MIB)
  await clock.drive(store.putObject(putRequest('again', again.content)))
  await harness.assertIdle()
  await store.close()
})

test('a read fetches one stripe ahead and no more, also around a lost node', async () => {
  const harness = createHarness()
  const bytes = bytesOf(32 * MIB)
  const record = await harness.put('key', bytes)
  let consumed = 0
  let ahead = 0
  const read = async (): Promise<void> => {
    for await (const piece of harness.store.readObject(record, { start: 0, end: bytes.length })) {
      consumed += piece.length
      const fetched = [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
      ahead = Math.max(ahead, fetched - consumed + piece.length)
    }
  }
  harness.shards.afflict(['b1'], DOWN)
  await harness.clock.drive(read())
  assert.equal(consumed, bytes.length)
  assert.ok(ahead <= READ_STRIPES_MAX * 4 * MIB, `${ahead} bytes ahead`)
  await harness.assertIdle()
  await harness.store.close()
})

test('readers that stall hold their share; others are told to come again, and none that began is cut off', async () => {
  const stripe = 4 * MIB
  const harness = createHarness({}, { readBufferBytes: 4 * stripe })
  const bytes = bytesOf(16 * MIB)
  const record = await harness.put('key', bytes)
  const fetched = (): number =>
    [...harness.shards.nodes.values()].reduce((sum, node) => sum + node.bytesRead, 0)
  const open = (): AsyncIterator<Uint8Array, unknown> =>
    harness.store.readObject(record, { start: 0, end: bytes.length })[Symbol.asyncIterator]()
  const stalled: AsyncIterator<Uint8Array, unknown>[] = []
  for (let i = 0; i < 3; i++) {
    const reader = open()
    await harness.clock.drive(reader.next())
    stalled.push(reader)
  }
  await harness.clock.pass(1000)
  // The first reads ahead, since half is free; the others do not.
  assert.equal(fetched(), 4 * stripe)
  assert.equal(harness.store.cluster().memory.readBufferBytesUsed, 4 * stripe)
  await assert.rejects(harness.clock.drive(open().next()), { code: 'overloaded' })
  for (const reader of stalled) {
    let rest = 0
    for (;;) {
      const piece = await harness.clock.drive(reader.next())
      if (piece.done === true) break
      rest += piece.value.length
    }
    assert.equal(rest, 15 * MIB)
  }
  assert.deepEqual(await harness.read(record), Buffer.from(bytes))
  await harness.assertIdle()
  await harness.store.close()
})
