import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ShardError, type ShardOwner } from '../../proto/shard-transport.ts'
import { decodeShardOwner, encodeShardOwner } from './shard-owner-codec.ts'

const text = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength })

const owner: fc.Arbitrary<ShardOwner> = fc
  .record({
    bucket: text(20),
    key: text(60),
    version: fc.constantFrom('0'.repeat(32), 'f'.repeat(32)),
    part: fc.nat(10_000),
    code: fc.constantFrom('rs-4-2', 'replica-3'),
    blobBytes: fc.nat(),
    annotation: fc.option(text(40), { nil: undefined }),
  })
  .map(({ annotation, ...rest }) => (annotation === undefined ? rest : { ...rest, annotation }))

test('an owner reads back as what was written, an annotation or none', () => {
  fc.assert(fc.property(owner, (one) => assert.deepEqual(decodeShardOwner(encodeShardOwner(one)), one)))
})

test('the owner of an object is written in format 1, as ever, and that of an annotation in format 2', () => {
  const object = { bucket: 'b', key: 'k', version: 'v', part: 1, code: 'c', blobBytes: 258 }
  const bytes = [1, 1, 1, 0, 1, 1, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, ...Buffer.from('bkvc')]
  assert.deepEqual([...encodeShardOwner(object)], bytes)
  const annotation = [2, ...bytes.slice(1, 16), 2, 0, ...Buffer.from('bkvcan')]
  assert.deepEqual([...encodeShardOwner({ ...object, annotation: 'an' })], annotation)
})

test('the longest names fit, and bytes that are no owner are refused', () => {
  const longest = {
    bucket: 'b'.repeat(63),
    key: 'k'.repeat(1024),
    version: 'f'.repeat(32),
    annotation: 'n'.repeat(512),
  }
  const encoded = encodeShardOwner({ ...longest, part: 0, code: 'rs-20-12', blobBytes: 1 })
  for (let length = 0; length < encoded.length; length++) {
    assert.throws(() => decodeShardOwner(encoded.subarray(0, length)), ShardError)
  }
  assert.throws(() => decodeShardOwner(Buffer.concat([encoded, Buffer.of(0)])), ShardError)
  encoded[0] = 3
  assert.throws(() => decodeShardOwner(encoded), ShardError)
})
