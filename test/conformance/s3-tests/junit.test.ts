import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readJunit } from './junit.ts'

const report = (...cases: readonly string[]): string =>
  `<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">${cases.join('')}</testsuite></testsuites>`

const testcase = (name: string, ...inner: readonly string[]): string =>
  `<testcase classname="s3tests.functional.test_s3" name="${name}">${inner.join('')}</testcase>`

test('what passed, failed and was skipped, with the first line of why', () => {
  const outcomes = readJunit(
    report(
      testcase('test_a'),
      testcase('test_b', '<failure message="assert 1 == 2&#10;+ more">text</failure>'),
      testcase('test_c[STANDARD-1024]', '<skipped type="pytest.skip" message="no key">text</skipped>'),
    ),
  )
  assert.deepEqual(
    [...outcomes],
    [
      ['test_s3.py::test_a', { state: 'passed', message: '' }],
      ['test_s3.py::test_b', { state: 'failed', message: 'assert 1 == 2' }],
      ['test_s3.py::test_c[STANDARD-1024]', { state: 'skipped', message: 'no key' }],
    ],
  )
})

test('a test that passes and then breaks in its clean-up has failed, however pytest reports it', () => {
  const error = '<error message="failed on teardown with it">text</error>'
  const failed = { state: 'failed', message: 'failed on teardown with it' }
  assert.deepEqual([...readJunit(report(testcase('t'), testcase('t', error)))], [['test_s3.py::t', failed]])
  assert.deepEqual([...readJunit(report(testcase('t', error), testcase('t')))], [['test_s3.py::t', failed]])
  assert.deepEqual(
    [...readJunit(report(testcase('t', '<skipped message="s"/>', error)))],
    [['test_s3.py::t', failed]],
  )
})

test('a file that could not be imported, and text that is no report', () => {
  const broken =
    '<testcase classname="" name="s3tests.functional.test_s3"><error message="collection"/></testcase>'
  assert.throws(() => readJunit(report(broken)), /could not collect.*test_s3/)
  assert.throws(() => readJunit('<testsuites>'), /unclosed/)
})
