import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listingStart } from './listing-marker.ts'

test('a marker inside a common prefix goes on after all of it', () => {
  for (const [marker, prefix, delimiter, start] of [
    ['a/b/c', '', '/', 'a/'],
    ['a/b/c', 'a/', '/', 'a/b/'],
    ['a/b', 'a/', '/', 'a/b'],
    ['a/', '', '/', 'a/'],
    ['a/b/c', 'b', '/', 'a/b/c'],
    ['a/b/c', '', '', 'a/b/c'],
    ['a--b--c', 'a', '--', 'a--'],
    ['', '', '/', ''],
  ] as const) {
    assert.equal(listingStart(marker, prefix, delimiter), start, `${marker} ${prefix} ${delimiter}`)
  }
})
