import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { adaptations } from './adaptations.ts'
import { compare, PASSES, readExpectations, updated, type Expectations } from './expectations.ts'
import type { Outcome } from './junit.ts'
import { summary } from './report.ts'

const text = await readFile(new URL('../s3-tests.json', import.meta.url), 'utf8')

const passed: Outcome = { state: 'passed', message: '' }
const failed: Outcome = { state: 'failed', message: 'assert 501 == 200' }
const skipped: Outcome = { state: 'skipped', message: 'no key' }

const expectations: Expectations = {
  about: [],
  suite: { repository: 'https://example.com/suite', commit: '0'.repeat(40) },
  adaptations: {},
  reasons: {
    lock: { notBuilt: 'Object Lock' },
    ceph: { notAws: 'it is not so', source: 'https://example.com/' },
  },
  tests: { a: PASSES, b: 'lock', c: 'ceph', d: PASSES },
}

test('a run as listed has no differences, skipped or failed alike where there is a reason', () => {
  const outcomes = new Map([
    ['a', passed],
    ['b', failed],
    ['c', skipped],
    ['d', passed],
  ])
  assert.deepEqual(compare(expectations.tests, outcomes, true), [])
  assert.match(summary(expectations, outcomes, []), /4 tests: 2 passed, 2 did not\.[^]*As listed\./)
})

test('every difference in either direction', () => {
  const outcomes = new Map([
    ['a', failed],
    ['b', passed],
    ['c', failed],
    ['new pass', passed],
    ['new skip', skipped],
  ])
  assert.deepEqual(compare(expectations.tests, outcomes, true), [
    { kind: 'broken', test: 'a', outcome: failed },
    { kind: 'passes-now', test: 'b', reason: 'lock' },
    { kind: 'new', test: 'new pass' },
    { kind: 'unclassified', test: 'new skip', outcome: skipped },
    { kind: 'gone', test: 'd' },
  ])
  const skip = compare(expectations.tests, new Map([['a', skipped]]), false)
  assert.deepEqual(skip, [{ kind: 'broken', test: 'a', outcome: skipped }])
})

test('of a chosen few, the others are not missed', () => {
  assert.deepEqual(compare(expectations.tests, new Map([['a', passed]]), false), [])
})

test('an update takes what a run has shown, and gives no reasons', () => {
  const outcomes = new Map([
    ['a', failed],
    ['b', passed],
    ['c', failed],
    ['new pass', passed],
    ['new failure', failed],
  ])
  const { tests, reasons } = updated(expectations, compare(expectations.tests, outcomes, true))
  assert.deepEqual(tests, { a: PASSES, b: PASSES, c: 'ceph', 'new pass': PASSES })
  assert.deepEqual(Object.keys(reasons), ['ceph'])
})

test('the list of the project is sound, and says why of every adaptation', () => {
  const { adaptations: said, tests } = readExpectations(text)
  assert.deepEqual(new Set(Object.keys(said)), new Set(adaptations.map(({ id }) => id)))
  assert.deepEqual(Object.keys(tests), Object.keys(tests).toSorted())
})

test('a list with a reason that is not there, is not used, or has no source', () => {
  const broken = (change: Partial<Expectations>): string => JSON.stringify({ ...expectations, ...change })
  assert.throws(
    () => readExpectations(broken({ tests: { ...expectations.tests, e: 'else' } })),
    /no reason else/,
  )
  assert.throws(() => readExpectations(broken({ tests: { b: 'lock' } })), /reason ceph is not used/)
  const unsourced = JSON.stringify({
    ...expectations,
    reasons: { lock: { notAws: 'no' } },
    tests: { b: 'lock' },
  })
  assert.throws(() => readExpectations(unsourced), /reasons\.lock/)
})
