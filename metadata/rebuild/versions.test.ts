import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { BlobRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { entryOf, factOf, type BlobFact } from './fact.ts'
import { compareVersions, isCompleted, timeOf, versionOf } from './versions.ts'

const VERSION = '0'.repeat(11) + '5'.padEnd(21, '0')

function fact(
  part: number,
  timeMs: number,
  more: Partial<BlobFact> & { annotation?: string; size?: bigint } = {},
): BlobFact {
  const { annotation = '', size = 10n, readable = true } = more
  const id = timeMs.toString(16).padStart(12, '0').padEnd(32, 'f')
  const position = { bucket: 'b', key: 'k', version: VERSION, annotation, part, blob: id }
  return { position, record: create(BlobRecordSchema, { id, size, code: 'rs-4-2', group: 65_536 }), readable }
}

test('a fact comes back as it was told', () => {
  const told = fact(3, 100, { annotation: 'note', readable: false })
  assert.deepEqual(factOf(entryOf(told)), told)
})

test('of two blobs of one place the readable one counts, then the newer', () => {
  const facts = [fact(0, 7), fact(0, 9), fact(0, 11, { readable: false })]
  const { own, superseded, parts } = versionOf(VERSION, facts)
  assert.equal(own, facts[1])
  assert.equal(superseded, 2)
  assert.deepEqual(parts, [])
})

test('parts 1 to n of a size that S3 takes are an object; others are an upload, unless they have annotations', () => {
  const parts = (...numbers: number[]) => numbers.map((number) => fact(number, 10 + number))
  assert.ok(isCompleted(versionOf(VERSION, parts(1, 2, 3)), 10n))
  assert.ok(!isCompleted(versionOf(VERSION, parts(1, 3)), 10n))
  assert.ok(!isCompleted(versionOf(VERSION, parts(2)), 10n))
  assert.ok(isCompleted(versionOf(VERSION, [...parts(2), fact(0, 40, { annotation: 'note' })]), 10n))
  const small = [fact(1, 11, { size: 9n }), fact(2, 12)]
  assert.ok(!isCompleted(versionOf(VERSION, small), 10n))
  assert.ok(
    isCompleted(
      versionOf(
        VERSION,
        small.toReversed().map((one, i) => fact(i + 1, 5, { size: one.record.size })),
      ),
      10n,
    ),
  )
})

test('versions are in order of their time: of parts, that of the last to be written', () => {
  assert.equal(timeOf(versionOf(VERSION, [fact(0, 900)])), 5)
  assert.equal(timeOf(versionOf(VERSION, [fact(1, 900), fact(2, 300)])), 900)
  const at = (version: string, timeMs: number) => ({ version, timeMs, isObject: true })
  const sorted = [at('c', 2), at('b', 1), at('a', 2)].toSorted(compareVersions)
  assert.deepEqual(
    sorted.map(({ version }) => version),
    ['b', 'a', 'c'],
  )
})
