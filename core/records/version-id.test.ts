import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatVersionId, parseVersionId, versionIdOf } from './version-id.ts'

const places = fc.record(
  {
    version: fc.stringMatching(/^[0-9a-f]{32}$/),
    order: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  },
  { noNullPrototype: true },
)

test('a version id has 32 characters that need no encoding in a URL, and leads back to its version', () => {
  fc.assert(
    fc.property(places, (place) => {
      const text = formatVersionId(place)
      assert.match(text, /^[A-Za-z0-9._]{32}$/)
      assert.deepEqual(parseVersionId(text), place)
    }),
  )
})

test('every text of that form is one version id, and no other text is', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9._]{32}$/), (text) => {
      const place = parseVersionId(text)
      assert.ok(place)
      assert.equal(formatVersionId(place), text)
    }),
  )
  for (const text of [
    '',
    'null',
    'A'.repeat(31),
    'A'.repeat(33),
    `${'A'.repeat(31)}+`,
    `-${'A'.repeat(31)}`,
    'ä'.repeat(32),
  ]) {
    assert.equal(parseVersionId(text), undefined)
  }
})

test('the layout is fixed: version ids given out yesterday hold', () => {
  const place = { version: '00112233445566778899aabbccddeeff', order: 258n }
  assert.equal(formatVersionId(place), 'ABEiM0RVZneImaq7zN3u_wAAAAAAAAEC')
  assert.equal(versionIdOf({ ...place, versioned: true }), 'ABEiM0RVZneImaq7zN3u_wAAAAAAAAEC')
  assert.equal(versionIdOf({ ...place, versioned: false }), 'null')
})
