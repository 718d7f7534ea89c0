import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { checksumAlgorithms } from '../../core/checksum/algorithms.ts'
import { parseCode } from '../../core/erasure/code.ts'
import { shardBytesFor, shardDataBytes, stripeAt } from '../../core/erasure/layout.ts'
import { crc32cBlocks } from '../crypto/crc32c.ts'
import { checksumOf } from '../crypto/checksum.ts'
import { ComputeError } from './compute-error.ts'
import { Compute } from './compute.ts'
import { shardAt, shardsHeld, shardView, stripeSlot, stripeSlotBytes, sumsView } from './stripe-slot.ts'

const MEMORY = 16 * 1024 * 1024
const inline = new Compute({ workers: 0, memoryBytes: MEMORY })
const threaded = new Compute({ workers: 2, memoryBytes: MEMORY })
after(() => threaded.close())

const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff)

/** Lays the data of one stripe into a slot at `at`, over garbage. */
function lay(compute: Compute, codeName: string, data: Uint8Array, at: number) {
  const code = parseCode(codeName)
  const slot = stripeSlot(code, at, shardBytesFor(code, data.length))
  new Uint8Array(compute.memory.buffer, at, stripeSlotBytes(code, slot.shardBytes)).fill(0xa5)
  const stripe = stripeAt(code, data.length, 0)
  for (let shard = 0; shard < code.k; shard++) {
    const from = shard * slot.shardBytes
    const bytes = data.subarray(from, from + shardDataBytes(stripe, shard))
    new Uint8Array(compute.memory.buffer, shardAt(code, slot, shard), slot.shardBytes).set(bytes)
  }
  return { code, slot }
}

for (const [name, compute, small] of [
  ['on the event loop', inline, true],
  ['on worker threads', threaded, false],
] as const) {
  test(`a stripe is padded, encoded, summed and hashed ${name}`, async () => {
    const shapes = fc.record({
      code: fc.constantFrom(
        'rs-4-2',
        'rs-6-3',
        'rs-2-1',
        'rs-3-0',
        'lrc-6-3-3',
        'lrc-4-2-2',
        'replica-3',
        'replica-1',
      ),
      bytes: fc.integer({ min: 1, max: 300_000 }),
      seed: fc.nat(255),
    })
    await fc.assert(
      fc.asyncProperty(shapes, async ({ code: codeName, bytes, seed }) => {
        const data = pattern(bytes, seed)
        const { code, slot } = lay(compute, codeName, data, 4096)
        const content = compute.openContent(checksumAlgorithms, small)
        const progress = content.encode({ code: codeName, slot, dataBytes: bytes })
        await progress.encoded
        await progress.hashed
        assert.deepEqual(
          (await content.finish()).map((digest) => Buffer.from(digest).toString('hex')),
          checksumAlgorithms.map((algorithm) => Buffer.from(checksumOf(algorithm, data)).toString('hex')),
        )
        const shards = Array.from({ length: shardsHeld(code) }, (_, i) =>
          Uint8Array.from(shardView(compute.memory, code, slot, i)),
        )
        const whole = Buffer.concat(shards.slice(0, code.k))
        assert.ok(whole.subarray(0, bytes).equals(data))
        assert.ok(
          whole.subarray(bytes).every((byte) => byte === 0),
          'padding is zeros',
        )
        for (const [i, shard] of shards.entries()) {
          assert.deepEqual(Uint32Array.from(sumsView(compute.memory, code, slot, i)), crc32cBlocks(shard))
        }
        if (code.kind === 'replica' || code.m === 0) return
        // Whatever m shards are lost, the rest restores them.
        const lost = Array.from({ length: code.m }, (_, i) => (i * 2 + seed) % code.total)
        const wanted = [...new Set(lost)].sort((a, b) => a - b)
        for (const shard of wanted) shardView(compute.memory, code, slot, shard).fill(0x5a)
        const available = shards.map((_, i) => i).filter((i) => !wanted.includes(i))
        await compute.reconstruct({ code: codeName, slot, available, wanted }, small)
        for (const shard of wanted) {
          assert.ok(
            Buffer.from(shardView(compute.memory, code, slot, shard)).equals(
              shards[shard] ?? Buffer.alloc(0),
            ),
          )
        }
      }),
      { numRuns: 40 },
    )
  })
}

test('shards made to be kept get their checksums, and must agree with what the proofs name', async () => {
  const { code, slot } = lay(threaded, 'rs-4-2', pattern(500_000, 1), 0)
  const content = threaded.openContent([], false)
  await content.encode({ code: code.name, slot, dataBytes: 500_000 }).encoded
  content.drop()
  const sums = Uint32Array.from(sumsView(threaded.memory, code, slot, 1))
  const lost = shardView(threaded.memory, code, slot, 1)
  const proof = { shard: 5, from: [1, 2, 3, 4] }
  const job = { code: code.name, slot, available: [2, 3, 4, 5], wanted: [1], proofs: [proof] }
  lost.fill(0)
  sumsView(threaded.memory, code, slot, 1).fill(0)
  await threaded.reconstruct(job, false)
  assert.deepEqual(Uint32Array.from(sumsView(threaded.memory, code, slot, 1)), sums)
  // A source that is not what the other proves of it: the shard made of it is wrong too.
  const source = shardView(threaded.memory, code, slot, 0)
  source[77_777] = (source[77_777] ?? 0) ^ 1
  const other = { ...job, available: [0, 2, 3, 4] }
  await assert.rejects(threaded.reconstruct(other, false), /shards 1,2,3,4 of rs-4-2 do not make shard 5/)
})

test('contents run side by side, each with its own digest in its own order', async () => {
  const pieces = [pattern(50_000, 1), pattern(70_000, 2), pattern(1, 3)]
  const contents = Array.from({ length: 6 }, () => threaded.openContent(['MD5'], false))
  let at = 0
  const sent: Promise<void>[] = []
  for (const piece of pieces) {
    for (const content of contents) {
      const { slot } = lay(threaded, 'rs-4-2', piece, at)
      at += 256 * 1024
      const { encoded, hashed } = content.encode({ code: 'rs-4-2', slot, dataBytes: piece.length })
      sent.push(encoded, hashed)
    }
  }
  await Promise.all(sent)
  const expected = createHash('md5').update(Buffer.concat(pieces)).digest('hex')
  for (const content of contents) {
    const [digest] = await content.finish()
    assert.equal(Buffer.from(digest ?? []).toString('hex'), expected)
  }
})

test('work that cannot be done fails its own request only', async () => {
  const { slot } = lay(threaded, 'rs-4-2', pattern(1000, 1), 0)
  await assert.rejects(
    threaded.reconstruct({ code: 'rs-4-2', slot, available: [0, 1, 2], wanted: [3] }, false),
    ComputeError,
  )
  const outside = { ...slot, at: MEMORY }
  const content = threaded.openContent([], false)
  await assert.rejects(content.encode({ code: 'rs-4-2', slot: outside, dataBytes: 1 }).encoded, ComputeError)
  content.drop()
  await threaded.reconstruct({ code: 'rs-4-2', slot, available: [0, 1, 2, 4], wanted: [3] }, false)
})

test('a thread that dies fails what it was asked, and the next request has a new one', async () => {
  const compute = new Compute({ workers: 1, memoryBytes: 1024 * 1024 })
  const { slot } = lay(compute, 'rs-4-2', pattern(1000, 1), 0)
  const job = { code: 'rs-4-2', slot, dataBytes: 1000 }
  const before = compute.openContent(['MD5'], false)
  await before.encode(job).hashed
  // @ts-expect-error there is no such digest, and `open` has no answer to say so in: the thread falls
  compute.openContent(['CRC0'], false)
  await assert.rejects(before.encode(job).hashed, ComputeError)
  await assert.rejects(before.finish(), ComputeError)
  const next = compute.openContent(['MD5'], false)
  await next.encode(job).hashed
  assert.equal((await next.finish()).length, 1)
  await compute.close()
})

test('closing fails what runs, leaves nothing behind, and may be done twice', async () => {
  const compute = new Compute({ workers: 1, memoryBytes: 8 * 1024 * 1024 })
  const { slot } = lay(compute, 'rs-4-2', pattern(4_000_000, 1), 0)
  const content = compute.openContent(['MD5'], false)
  const settled = Promise.allSettled([
    content.encode({ code: 'rs-4-2', slot, dataBytes: 4_000_000 }).hashed,
    content.finish(),
  ])
  await compute.close()
  for (const { status } of await settled) assert.equal(status, 'rejected')
  assert.throws(() => compute.openContent([], false), ComputeError)
  await assert.rejects(
    compute.reconstruct({ code: 'rs-4-2', slot, available: [0, 1, 2, 3], wanted: [] }, false),
  )
  await compute.close()
})
