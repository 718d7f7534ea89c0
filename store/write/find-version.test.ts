import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { COMMIT_INQUIRY_VERSIONS_MAX } from '../../core/limits.ts'
import { type ObjectRecord, ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { clusterMap } from '../testing/cluster-map.ts'
import { FakeMetadata } from '../testing/fake-metadata.ts'
import { bytesOf, contentOf, createHarness, putRequest } from '../testing/harness.ts'
import { findVersion } from './find-version.ts'

const OURS = 'a'.repeat(32)
const WRITTEN = { bucket: 'bucket', key: 'key', version: OURS }
const SIGNAL = new AbortController().signal

function versionOf(number: number): string {
  return number.toString(16).padStart(32, '0')
}

function record(
  version: string,
  more: Partial<Pick<ObjectRecord, 'order' | 'deleteMarker'>> = {},
): ObjectRecord {
  return create(ObjectRecordSchema, { bucket: 'bucket', key: 'key', version, ...more })
}

test('a version is found as the current one, under others, and under a delete marker', async () => {
  const metadata = new FakeMetadata(clusterMap())
  metadata.versioned = true
  assert.equal(await findVersion(metadata, WRITTEN, SIGNAL), undefined)
  metadata.add(record(versionOf(1)))
  assert.equal(await findVersion(metadata, WRITTEN, SIGNAL), undefined)
  metadata.add(record(OURS))
  assert.equal((await findVersion(metadata, WRITTEN, SIGNAL))?.version, OURS)
  metadata.add(record(versionOf(2)))
  assert.equal((await findVersion(metadata, WRITTEN, SIGNAL))?.version, OURS)
  metadata.add(record(versionOf(3), { deleteMarker: true }))
  assert.equal((await findVersion(metadata, WRITTEN, SIGNAL))?.version, OURS)
  const other = { ...WRITTEN, version: 'b'.repeat(32) }
  assert.equal(await findVersion(metadata, other, SIGNAL), undefined)
})

test('the null version is known by the record, for its id says nothing', async () => {
  const metadata = new FakeMetadata(clusterMap())
  metadata.add(record(OURS, { order: 5n }))
  metadata.versioned = true
  metadata.add(record(versionOf(1)))
  assert.equal((await findVersion(metadata, WRITTEN, SIGNAL))?.version, OURS)
  assert.equal(await findVersion(metadata, { ...WRITTEN, version: 'b'.repeat(32) }, SIGNAL), undefined)
})

test('no versions are asked for where there are none, and not more than the limit', async () => {
  const metadata = new FakeMetadata(clusterMap())
  metadata.add(record(versionOf(1)))
  assert.equal(await findVersion(metadata, WRITTEN, SIGNAL), undefined)
  assert.ok(!metadata.asked.includes('listVersions'))
  metadata.versioned = true
  metadata.add(record(OURS))
  for (let number = 2; number < COMMIT_INQUIRY_VERSIONS_MAX + 1; number++) {
    metadata.add(record(versionOf(number)))
  }
  assert.equal((await findVersion(metadata, WRITTEN, SIGNAL))?.version, OURS)
  metadata.add(record('c'.repeat(32)))
  assert.equal(await findVersion(metadata, WRITTEN, SIGNAL), undefined)
})

test('a commit whose answer was lost is found although another version came right after it', async () => {
  const harness = createHarness()
  const { metadata } = harness
  metadata.versioned = true
  metadata.commitFault = { kind: 'answer-lost' }
  metadata.onCommit = () => {
    queueMicrotask(() => {
      metadata.add(record(versionOf(9)))
    })
  }
  const content = contentOf(bytesOf(5000, 4))
  const written = await harness.clock.drive(harness.store.putObject(putRequest('key', content)))
  assert.ok(written.versioned && written.order > 0n)
  assert.equal(metadata.objects.get('bucket/key')?.version, versionOf(9))
  await harness.store.close()
})
