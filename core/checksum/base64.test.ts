import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromBase64, toBase64 } from './base64.ts'

test('RFC 4648 §10 vectors', () => {
  const vectors = {
    '': '',
    f: 'Zg==',
    fo: 'Zm8=',
    foo: 'Zm9v',
    foob: 'Zm9vYg==',
    fooba: 'Zm9vYmE=',
    foobar: 'Zm9vYmFy',
  }
  for (const [plain, coded] of Object.entries(vectors)) {
    const bytes = Uint8Array.from(plain, (c) => c.charCodeAt(0))
    assert.equal(toBase64(bytes), coded)
    assert.deepEqual(fromBase64(coded), bytes)
  }
})

test('agrees with Node, there and back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'))
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes)
    }),
  )
})

test('a text is accepted only in its one canonical form', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...Array.from('ABz09+/=-_ \n\u00e9')), maxLength: 12 }),
      (text) => {
        const bytes = fromBase64(text)
        const canonical = Buffer.from(text, 'base64').toString('base64') === text
        assert.equal(bytes !== undefined, canonical)
      },
    ),
    { numRuns: 2000 },
  )
})
