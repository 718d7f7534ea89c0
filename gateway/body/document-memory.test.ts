import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DOCUMENT_BYTES_UNCOUNTED } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import { collectBody } from './collect.ts'
import { DocumentMemory } from './document-memory.ts'
import { bodyOptions } from './test-support.ts'
import { openBody } from './verified-body.ts'

const LARGE = 10 * DOCUMENT_BYTES_UNCOUNTED

/** A document of that many bytes whose sender stops before the last one until `finish` is called. */
function slowDocument(bytes: number) {
  const { promise: rest, resolve: finish } = Promise.withResolvers<undefined>()
  const { promise: sent, resolve: allButOne } = Promise.withResolvers<undefined>()
  async function* pieces(): AsyncGenerator<Uint8Array, void> {
    yield new Uint8Array(bytes - 1).fill(1)
    allButOne(undefined)
    await rest
    yield new Uint8Array(1).fill(2)
  }
  const headers = { 'content-length': String(bytes) }
  const body = openBody(pieces(), { ...bodyOptions({ kind: 'unsigned' }, headers), maxBytes: bytes })
  return { body, finish, sent }
}

const slowDown = (error: unknown): boolean => error instanceof S3Error && error.code === 'SlowDown'

test('documents on their way share one memory: what does not fit is told to come again', async () => {
  const memory = new DocumentMemory(3 * LARGE)
  const begun = Array.from({ length: 3 }, () => ({ ...slowDocument(LARGE), lease: memory.lease() }))
  const collected = begun.map(({ body, lease }) => collectBody(body, LARGE, lease))
  await Promise.all(begun.map(({ sent }) => sent))
  assert.ok(memory.usedBytes >= 3 * (LARGE - 1))
  await assert.rejects(collectBody(slowDocument(LARGE).body, LARGE, memory.lease()), slowDown)

  const small = slowDocument(DOCUMENT_BYTES_UNCOUNTED)
  small.finish(undefined)
  const document = await collectBody(small.body, LARGE, memory.lease())
  assert.equal(document.byteLength, DOCUMENT_BYTES_UNCOUNTED)

  for (const { finish } of begun) finish(undefined)
  for (const whole of await Promise.all(collected)) {
    assert.deepEqual([whole.byteLength, whole[0], whole.at(-2), whole.at(-1)], [LARGE, 1, 1, 2])
  }
  for (const { lease } of begun) lease.release()
  assert.equal(memory.usedBytes, 0)
})

test('a head that promises much takes nothing', async () => {
  const memory = new DocumentMemory(LARGE)
  async function* nothing(): AsyncGenerator<Uint8Array, void> {}
  const headers = { 'content-length': String(100 * LARGE) }
  const body = openBody(nothing(), { ...bodyOptions({ kind: 'unsigned' }, headers), maxBytes: 100 * LARGE })
  await assert.rejects(
    collectBody(body, 100 * LARGE, memory.lease()),
    (error) => error instanceof S3Error && error.code === 'IncompleteBody',
  )
  assert.equal(memory.usedBytes, 0)
})

test('a lease never takes more than its document, however it grows', () => {
  const memory = new DocumentMemory(LARGE)
  const lease = memory.lease()
  for (const bytes of [1, DOCUMENT_BYTES_UNCOUNTED, LARGE / 2, LARGE / 4, LARGE]) lease.grow(bytes)
  assert.equal(memory.usedBytes, LARGE)
  assert.throws(() => lease.grow(LARGE + 1), slowDown)
  lease.release()
  lease.release()
  assert.equal(memory.usedBytes, 0)
})
