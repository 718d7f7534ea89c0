import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compareBytes, type KeyRange, next, successor } from './bytes.ts'
import {
  bucketPurgeKey,
  bucketSettingKey,
  bucketSettingRange,
  manifestPageKey,
  nullVersionValue,
  objectKey,
  objectRange,
  outboxKey,
  outboxRange,
  readOutboxKey,
  ownedBucketKey,
  ownedBucketRange,
  partKey,
  partRange,
  readBucketPurgeKey,
  readNullVersionValue,
  readObjectKey,
  readOwnedBucketKey,
  readUploadKey,
  readVersionKey,
  uploadKey,
  uploadRange,
  uploadsToKey,
  versionKey,
  versionRange,
  versionsOfKey,
} from './keys.ts'
import { compareUtf8 } from './utf8.ts'

// Few characters, so that texts share prefixes; NUL, 0x01 and an astral one, since they are where encodings break.
const text = fc.string({
  unit: fc.constantFrom('\0', '\u0001', 'a', 'b', '/', 'é', '\uffff', '\u{1F600}'),
  maxLength: 6,
})
const uploadId = fc.constantFrom('0'.repeat(32), 'a'.repeat(32), 'f'.repeat(32))

function within({ gte, lt }: KeyRange, key: Uint8Array): boolean {
  return compareBytes(gte, key) <= 0 && compareBytes(key, lt) < 0
}

test('objects sort by bucket, then by key, in UTF-8 order', () => {
  fc.assert(
    fc.property(text, text, text, text, (bucketA, keyA, bucketB, keyB) => {
      const order = Math.sign(compareBytes(objectKey(bucketA, keyA), objectKey(bucketB, keyB)))
      assert.equal(order, Math.sign(compareUtf8(bucketA, bucketB) || compareUtf8(keyA, keyB)))
    }),
  )
})

test('uploads sort by bucket, key and upload id, and read back', () => {
  const place = fc.record({ bucket: text, key: text, uploadId })
  fc.assert(
    fc.property(place, place, (a, b) => {
      const order = Math.sign(compareBytes(uploadKey(a), uploadKey(b)))
      const wanted =
        compareUtf8(a.bucket, b.bucket) || compareUtf8(a.key, b.key) || compareUtf8(a.uploadId, b.uploadId)
      assert.equal(order, Math.sign(wanted))
      assert.deepEqual(readUploadKey(uploadKey(a)), { ...a })
    }),
  )
})

test('the range of a bucket holds exactly its settings', () => {
  const kind = fc.integer({ min: 1, max: 65_535 })
  fc.assert(
    fc.property(text, text, kind, (bucket, other, number) => {
      assert.equal(within(bucketSettingRange(bucket), bucketSettingKey(other, number)), bucket === other)
    }),
  )
})

test('a range by prefix holds exactly the keys with the prefix', () => {
  fc.assert(
    fc.property(text, text, text, text, uploadId, (bucket, prefix, otherBucket, key, id) => {
      const belongs = otherBucket === bucket && key.startsWith(prefix)
      assert.equal(within(objectRange(bucket, prefix), objectKey(otherBucket, key)), belongs)
      const upload = uploadKey({ bucket: otherBucket, key, uploadId: id })
      assert.equal(within(uploadRange(bucket, prefix), upload), belongs)
      assert.equal(within(ownedBucketRange(bucket, prefix), ownedBucketKey(otherBucket, key)), belongs)
      assert.equal(within(uploadsToKey(bucket, prefix), upload), otherBucket === bucket && key === prefix)
    }),
  )
})

test('versions sort by key, the newest first, up to 2^64, and read back', () => {
  const place = fc.record({ bucket: text, key: text, order: fc.bigInt(0n, 2n ** 64n - 1n) })
  fc.assert(
    fc.property(place, place, text, (a, b, prefix) => {
      const [left, right] = [a, b].map(({ bucket, key, order }) => versionKey(bucket, key, order))
      assert.ok(left !== undefined && right !== undefined)
      const newerFirst = b.order > a.order ? 1 : b.order < a.order ? -1 : 0
      const wanted = compareUtf8(a.bucket, b.bucket) || compareUtf8(a.key, b.key) || newerFirst
      assert.equal(Math.sign(compareBytes(left, right)), Math.sign(wanted))
      assert.equal(readVersionKey(left), a.key)
      assert.equal(readNullVersionValue(nullVersionValue(a.order)), a.order)
      const sameBucket = a.bucket === b.bucket
      assert.equal(within(versionsOfKey(a.bucket, a.key), right), sameBucket && a.key === b.key)
      assert.equal(within(versionRange(a.bucket, prefix), right), sameBucket && b.key.startsWith(prefix))
    }),
  )
})

test('parts and manifest pages lie in order with their own upload or version', () => {
  fc.assert(
    fc.property(text, text, text, fc.nat(9999), fc.nat(9999), (bucket, key, otherKey, a, b) => {
      const place = { bucket, key, uploadId: 'c'.repeat(32) }
      const order = Math.sign(compareBytes(partKey(place, a), partKey(place, b)))
      assert.equal(order, Math.sign(a - b))
      assert.equal(within(partRange(place), partKey({ ...place, key: otherKey }, b)), otherKey === key)
      const pages = Math.sign(
        compareBytes(manifestPageKey(bucket, key, 'v', a), manifestPageKey(bucket, key, 'v', b)),
      )
      assert.equal(pages, Math.sign(a - b))
    }),
  )
})

test('texts read back from keys', () => {
  fc.assert(
    fc.property(text, text, (first, second) => {
      assert.equal(readObjectKey(objectKey(first, second), objectKey(first, '')), second)
      assert.deepEqual(readOwnedBucketKey(ownedBucketKey(first, second)), { owner: first, name: second })
      assert.deepEqual(readBucketPurgeKey(bucketPurgeKey(first, 7)), { bucket: first, partition: 7 })
    }),
  )
})

test('the outbox lies in order of sequence, up to 2^53', () => {
  const sequence = fc.nat(Number.MAX_SAFE_INTEGER)
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      for (const kind of ['garbage', 'repair'] as const) {
        const [first, second] = [outboxKey(1, kind, a), outboxKey(1, kind, b)]
        assert.equal(Math.sign(compareBytes(first, second)), Math.sign(a - b))
        assert.ok(within(outboxRange(1, kind), first))
        assert.ok(!within(outboxRange(2, kind), first))
        assert.deepEqual(readOutboxKey(first), { partition: 1, sequence: a })
      }
      assert.ok(!within(outboxRange(1, 'garbage'), outboxKey(1, 'repair', a)))
    }),
  )
})

test('successor passes every key with the prefix and no other; next passes one key only', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(bytes, bytes, fc.uint8Array({ maxLength: 3 }), (prefix, key, rest) => {
      fc.pre(prefix.some((byte) => byte !== 0xff))
      const after = successor(prefix)
      assert.ok(compareBytes(Uint8Array.of(...prefix, ...rest), after) < 0)
      if (compareBytes(key, prefix) >= 0 && compareBytes(key, after) < 0) {
        assert.deepEqual(key.subarray(0, prefix.length), prefix)
      }
      assert.ok(compareBytes(key, next(key)) < 0)
      assert.ok(compareBytes(key, prefix) <= 0 || compareBytes(next(prefix), key) <= 0)
    }),
  )
  assert.throws(() => successor(Uint8Array.of(0xff, 0xff)), RangeError)
})
