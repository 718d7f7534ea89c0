import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compareUtf8, decodeUtf8, encodeUtf8, IllFormedStringError } from './utf8.ts'

const text = fc.string({ unit: 'binary' })

test('encodes and decodes as the platform does', () => {
  fc.assert(
    fc.property(text, (value) => {
      const bytes = encodeUtf8(value)
      assert.deepEqual(Buffer.from(bytes), Buffer.from(value, 'utf8'))
      assert.equal(decodeUtf8(bytes), value)
    }),
  )
})

test('compares as the bytes compare, which UTF-16 does not', () => {
  fc.assert(
    fc.property(text, text, (left, right) => {
      const bytes = Buffer.compare(Buffer.from(left), Buffer.from(right))
      assert.equal(Math.sign(compareUtf8(left, right)), bytes)
    }),
  )
  const [astral, last] = ['\u{1F600}', '\uFF5E']
  assert.ok(astral !== undefined && last !== undefined && astral < last)
  assert.ok(compareUtf8(astral, last) > 0)
})

test('refuses half of a surrogate pair, wherever it stands', () => {
  for (const value of ['\ud800', 'a\udc00', '\ud83da', '\udc00\ud800']) {
    assert.throws(() => encodeUtf8(value), IllFormedStringError)
  }
})
