import assert from 'node:assert/strict'
import test from 'node:test'
import { versionOrderFaults, type MadeVersion } from './version-order.ts'

const made = (versionId: string, invoked: number, responded: number): MadeVersion => ({
  versionId,
  invoked,
  responded,
})

test('writes that overlap may be listed in either order, others only newest first', () => {
  const versions = [made('a', 0, 5), made('b', 3, 8), made('c', 9, 10)]
  assert.deepEqual(versionOrderFaults(versions, ['c', 'b', 'a']), [])
  assert.deepEqual(versionOrderFaults(versions, ['c', 'a', 'b']), [])
  assert.deepEqual(versionOrderFaults(versions, ['b', 'c', 'a']), [
    'b is listed as newer than c, which was written after it',
  ])
  assert.deepEqual(versionOrderFaults(versions, ['a', 'c', 'b']), [
    'a is listed as newer than c, which was written after it',
  ])
})

test('an acknowledged version is listed, once', () => {
  const versions = [made('a', 0, 5), made('b', 6, 8)]
  assert.deepEqual(versionOrderFaults(versions, ['b']), ['a is lost'])
  assert.deepEqual(versionOrderFaults(versions, ['b', 'b', 'a']), ['b is listed twice'])
})

test('only writes without an answer explain a version that nobody was told of', () => {
  const versions = [made('a', 0, 5)]
  assert.deepEqual(versionOrderFaults(versions, ['x', 'a'], 1), [])
  assert.deepEqual(versionOrderFaults(versions, ['x', 'a', 'y'], 1), [
    '2 versions are listed that nobody was told of, of at most 1',
  ])
})

test('one whose outcome became known may be anywhere after it was sent', () => {
  const versions = [made('late', 1, Infinity), made('a', 2, 3), made('b', 4, 5)]
  assert.deepEqual(versionOrderFaults(versions, ['late', 'b', 'a']), [])
  assert.deepEqual(versionOrderFaults(versions, ['b', 'a', 'late']), [])
})
