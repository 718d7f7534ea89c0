import assert from 'node:assert/strict'
import test from 'node:test'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { StoreError, type StoreErrorCode } from '../../store/api.ts'
import { clusterFailure, loudnessOf } from './failures.ts'

/** Statuses that the SDKs of AWS try again. */
const retried = [500, 502, 503, 504]

/** Listed after the refusals that S3 has a name for. */
const LATER_FAILURES: ReadonlySet<FailureCode> = new Set([
  FailureCode.UNKNOWN_NODE,
  FailureCode.TOPOLOGY_REFUSED,
  FailureCode.PARTITION_REFUSED,
  FailureCode.BACKUP_REFUSED,
  FailureCode.STALE_EPOCH,
  FailureCode.STALE_BLOB,
  FailureCode.SLOW_DOWN,
])

test('every failure of metadata has an answer; a refusal has its own name, a failure is retried', () => {
  const codes = Object.values(FailureCode).filter((code) => typeof code === 'number')
  assert.ok(codes.length > 10)
  for (const code of codes) {
    const failure = clusterFailure(new MetadataError(code, 'internal detail', { Key: 'k' }))
    assert.ok(failure)
    assert.doesNotMatch(failure.message, /internal detail/)
    assert.equal(failure.fields['Key'], 'k')
    const isFailure = code < FailureCode.NO_SUCH_BUCKET || LATER_FAILURES.has(code)
    assert.equal(retried.includes(failure.status), isFailure, failure.code)
  }
})

test('a delete marker is named in headers, not in the document', () => {
  const marker = { DeleteMarker: 'true', VersionId: 'v' }
  const headers = { 'x-amz-delete-marker': 'true', 'x-amz-version-id': 'v' }
  const none = clusterFailure(new MetadataError(FailureCode.NO_SUCH_KEY, '', { Key: 'k', ...marker }))
  assert.deepEqual([none?.fields, none?.headers], [{ Key: 'k' }, headers])
  const refused = clusterFailure(new MetadataError(FailureCode.METHOD_NOT_ALLOWED, '', marker))
  assert.deepEqual(refused?.fields, { ResourceType: 'DeleteMarker' })
  assert.deepEqual(refused?.headers, { ...headers, allow: 'DELETE' })
  const version = clusterFailure(new MetadataError(FailureCode.NO_SUCH_VERSION, '', { VersionId: 'v' }))
  assert.deepEqual([version?.fields, version?.headers], [{ VersionId: 'v' }, {}])
})

test('what the store could not do is retried', () => {
  const codes: readonly [StoreErrorCode, string, number][] = [
    ['unwritable', 'ServiceUnavailable', 503],
    ['unknown', 'ServiceUnavailable', 503],
    ['unreadable', 'ServiceUnavailable', 503],
    ['overloaded', 'SlowDown', 503],
    ['size-mismatch', 'InternalError', 500],
  ]
  for (const [code, name, status] of codes) {
    const failure = clusterFailure(new StoreError(code, 'internal detail'))
    assert.deepEqual([failure?.code, failure?.status], [name, status])
  }
})

test('failures of the cluster are told in the log, refusals for load only where all is', () => {
  const loudnessFor = (code: FailureCode) =>
    loudnessOf(clusterFailure(new MetadataError(code, '')) ?? assert.fail())
  assert.equal(loudnessFor(FailureCode.UNAVAILABLE), 'warn')
  assert.equal(loudnessFor(FailureCode.SLOW_DOWN), 'debug')
  assert.equal(loudnessFor(FailureCode.NO_SUCH_KEY), undefined)
})

test('anything else is not a failure of the cluster', () => {
  assert.equal(clusterFailure(new TypeError('a bug')), undefined)
  assert.equal(clusterFailure(undefined), undefined)
})
