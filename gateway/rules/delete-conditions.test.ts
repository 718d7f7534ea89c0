import assert from 'node:assert/strict'
import { test } from 'node:test'
import { S3Error } from '../errors/s3-error.ts'
import { readDeleteConditions } from './delete-conditions.ts'

test('absent conditions are absent; tags are read as of a list', () => {
  assert.deepEqual(readDeleteConditions({}), { ifMatch: [] })
  const lastModified = new Date('2030-01-02T03:04:05Z')
  assert.deepEqual(readDeleteConditions({ ifMatch: '"a", W/"b",*', size: 0, lastModified }), {
    ifMatch: ['a', 'b', '*'],
    ifMatchSize: 0n,
    ifMatchLastModifiedMs: BigInt(lastModified.getTime()),
  })
})

test('what no object can have is InvalidArgument', () => {
  for (const input of [{ size: -1 }, { lastModified: new Date(-1) }]) {
    assert.throws(
      () => readDeleteConditions(input),
      (error) => error instanceof S3Error && error.code === 'InvalidArgument',
    )
  }
})
