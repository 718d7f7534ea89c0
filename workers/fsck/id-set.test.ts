import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdSet } from './id-set.ts'

test('it holds exactly what was added, the id of zeros included', () => {
  const id = fc.oneof(
    fc.stringMatching(/^[0-9a-f]{32}$/),
    fc.nat(40).map((n) => n.toString(16).padStart(32, '0')),
  )
  fc.assert(
    fc.property(fc.array(id), fc.array(id), (added, asked) => {
      const ids = new IdSet()
      for (const one of added) ids.add(one)
      const expected = new Set(added)
      assert.equal(ids.size, expected.size)
      for (const one of [...added, ...asked]) assert.equal(ids.has(one), expected.has(one))
    }),
  )
})

test('it grows', () => {
  const ids = new IdSet()
  const name = (n: number): string => (n * 2_654_435_761).toString(16).padStart(32, '1')
  for (let n = 0; n < 10_000; n++) ids.add(name(n))
  assert.equal(ids.size, 10_000)
  for (let n = 0; n < 10_000; n++) assert.ok(ids.has(name(n)))
  assert.ok(!ids.has(name(10_000)))
})
