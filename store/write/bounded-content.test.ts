/** Contents whose size is only bounded: they are stored as long as they are, cut where their own size says. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { StoreError } from '../api.ts'
import { bytesOf, contentOf, createHarness, putRequest } from '../testing/harness.ts'

const KIB = 1024
const STRIPE = 4 * KIB * KIB

/** [bytes, bound]: ends within the last stripe, at its edge, in an earlier stripe; shards that stay and that shrink. */
const cases: readonly (readonly [size: number, bound: number])[] = [
  [0, 1],
  [0, 5 * KIB],
  [0, STRIPE + 5],
  [1, 3],
  [31 * KIB, 31 * KIB + 200],
  [31 * KIB, 40 * KIB],
  [100_000, 100_002],
  [65_535, 65_537],
  [64 * KIB, 64 * KIB + 2],
  [200_000, 900_000],
  [STRIPE, STRIPE],
  [STRIPE, STRIPE + 2],
  [STRIPE - 1, STRIPE + 1],
  [STRIPE - 100, STRIPE + 100_000],
  [STRIPE + 1, STRIPE + 70_000],
  [10, 3 * STRIPE],
  [2 * STRIPE + 5, 3 * STRIPE + 7],
]

for (const [size, bound] of cases) {
  test(`${size} bytes of at most ${bound}`, async () => {
    const { store, clock, metadata, read, assertIdle, breaches } = createHarness()
    const bytes = bytesOf(size, 7)
    const content = { ...contentOf(bytes), size: bound, atMost: true }
    const record = await clock.drive(store.putObject(putRequest('key', content)))
    assert.equal(Number(record.size), size)
    assert.equal(record.blob === undefined, size === 0)
    assert.equal(Number(record.blob?.size ?? 0), size)
    assert.equal(record.etag, createHash('md5').update(bytes).digest('hex'))
    assert.ok((await read(record)).equals(bytes))
    assert.deepEqual(breaches, [])
    assert.equal(metadata.objects.size, 1)
    await assertIdle()
    await store.close()
  })
}

test('one byte past the bound is refused, and nothing of it stays', async () => {
  for (const bound of [0, 999, STRIPE]) {
    const { store, clock, shards, metadata, assertIdle } = createHarness()
    const content = { ...contentOf(bytesOf(bound + 1)), size: bound, atMost: true }
    await assert.rejects(
      clock.drive(store.putObject(putRequest('key', content))),
      (error) => error instanceof StoreError && error.code === 'size-mismatch',
    )
    await assertIdle()
    assert.equal(shards.shardCount, 0)
    assert.equal(metadata.objects.size, 0)
    await store.close()
  }
})
