import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatVersionId } from '../../core/records/version-id.ts'
import { S3Error } from '../errors/s3-error.ts'
import { isVersionId, requestedVersion } from './version-id.ts'

const given = formatVersionId({ version: '0123456789abcdef'.repeat(2), order: 7n })

test('none is the current one; null and what is given out are taken', () => {
  assert.equal(requestedVersion(undefined), '')
  const last = formatVersionId({ version: 'f'.repeat(32), order: 2n ** 53n - 1n })
  for (const id of ['null', given, last]) {
    assert.equal(requestedVersion(id), id)
    assert.ok(isVersionId(id))
  }
})

test('anything else is malformed, and named as the client wrote it', () => {
  for (const [text, message] of [
    ['', 'Version id cannot be the empty string'],
    ['NULL', 'Invalid version id specified'],
    ['abc', 'Invalid version id specified'],
    [`${given}A`, 'Invalid version id specified'],
    [given.slice(1), 'Invalid version id specified'],
    [`${given.slice(1)}=`, 'Invalid version id specified'],
    ['\u0000', 'Invalid version id specified'],
    // One of AWS's.
    ['HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD', 'Invalid version id specified'],
  ] as const) {
    assert.throws(
      () => requestedVersion(text, 'version-id-marker'),
      (error) => {
        assert.ok(error instanceof S3Error)
        assert.deepEqual([error.code, error.message], ['InvalidArgument', message])
        assert.deepEqual(error.fields, { ArgumentName: 'version-id-marker', ArgumentValue: text })
        return true
      },
      text,
    )
  }
})
