import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodeNameError, parseCode, replicaCode, rsCode } from './code.ts'

test('names of codes are read', () => {
  assert.deepEqual({ ...parseCode('rs-4-2') }, { name: 'rs-4-2', kind: 'rs', k: 4, m: 2, total: 6 })
  assert.deepEqual({ ...parseCode('rs-1-0') }, { name: 'rs-1-0', kind: 'rs', k: 1, m: 0, total: 1 })
  assert.deepEqual(
    { ...parseCode('replica-3') },
    { name: 'replica-3', kind: 'replica', k: 1, m: 2, total: 3 },
  )
  assert.deepEqual(
    { ...parseCode('replica-1') },
    { name: 'replica-1', kind: 'replica', k: 1, m: 0, total: 1 },
  )
  assert.deepEqual(
    { ...parseCode('replica-32') },
    { name: 'replica-32', kind: 'replica', k: 1, m: 31, total: 32 },
  )
})

test('the same name is the same object, and cannot be changed', () => {
  assert.equal(parseCode('rs-4-2'), rsCode(4, 2))
  assert.equal(parseCode('replica-3'), replicaCode(3))
  assert.ok(Object.isFrozen(parseCode('rs-4-2')))
})

test('bad names are refused, each with its reason', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /expected rs-/],
    ['rs', /expected rs-/],
    ['rs-4', /expected rs-/],
    ['RS-4-2', /expected rs-/],
    ['rs-04-2', /expected rs-/],
    ['rs-4-+2', /expected rs-/],
    ['rs--4-2', /expected rs-/],
    ['rs-4-2 ', /expected rs-/],
    ['rs-4-2\n', /expected rs-/],
    ['rs-4-2-1', /expected rs-/],
    ['rs-1e1-2', /expected rs-/],
    ['replica-3-1', /expected rs-/],
    ['mirror-2', /expected rs-/],
    ['rs-0-2', /at least one data shard/],
    ['rs-31-2', /33 shards a stripe; at most 32/],
    ['rs-999-999', /1998 shards/],
    ['replica-0', /at least one copy/],
    ['replica-33', /33 shards a stripe; at most 32/],
  ]
  for (const [name, reason] of cases) {
    assert.throws(
      () => parseCode(name),
      (error) => error instanceof CodeNameError && error.given === name && reason.test(error.message),
      name,
    )
  }
})

test('every code within the bounds is read back by its own name, and none outside', () => {
  fc.assert(
    fc.property(fc.integer({ min: -2, max: 40 }), fc.integer({ min: -2, max: 40 }), (k, m) => {
      const valid = k >= 1 && m >= 0 && k + m <= 32
      if (!valid) return assert.throws(() => rsCode(k, m), CodeNameError)
      const code = rsCode(k, m)
      assert.deepEqual([code.k, code.m, code.total], [k, m, k + m])
      assert.equal(parseCode(code.name), code)
    }),
  )
})
