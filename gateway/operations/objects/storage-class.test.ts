import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StorageClass } from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import { storageClassOf } from './storage-class.ts'

function outcome(asked: string | undefined): string {
  try {
    return storageClassOf(asked)
  } catch (error) {
    assert.ok(error instanceof S3Error)
    return error.code
  }
}

test('every class of the SDK is taken, not built, or none of a general purpose bucket', () => {
  assert.equal(outcome(undefined), 'STANDARD')
  const outcomes = Object.fromEntries(Object.values(StorageClass).map((name) => [name, outcome(name)]))
  for (const name of ['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'GLACIER_IR']) {
    assert.equal(outcomes[name], name)
  }
  for (const name of ['GLACIER', 'DEEP_ARCHIVE']) assert.equal(outcomes[name], 'NotImplemented')
  for (const name of ['OUTPOSTS', 'SNOW', 'EXPRESS_ONEZONE']) {
    assert.equal(outcomes[name], 'InvalidStorageClass')
  }
  for (const name of ['', 'standard']) assert.equal(outcome(name), 'InvalidStorageClass')
})
