import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keys } from './keys.ts'

for (const prefixes of [1, 3, 8]) {
  test(`on ${prefixes} prefixes: what is read is there, and each prefix gets the same`, () => {
    const keys = new Keys(prefixes)
    const there = new Set(keys.read)
    const written = new Set<string>()
    const byPrefix = new Map<string, number>()
    for (let count = 0; count < 20 * prefixes; count++) {
      const [read, write] = [keys.next('reads'), keys.next('writes')]
      assert.ok(there.has(read), read)
      written.add(write)
      for (const key of [read, write]) {
        const [prefix = ''] = key.split('/')
        byPrefix.set(prefix, (byPrefix.get(prefix) ?? 0) + 1)
      }
    }
    assert.equal(byPrefix.size, prefixes)
    assert.deepEqual(new Set(byPrefix.values()), new Set([40]))
    assert.equal(written.size, 20 * prefixes)
  })
}
