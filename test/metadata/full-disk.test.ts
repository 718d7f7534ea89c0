import assert from 'node:assert/strict'
import test from 'node:test'
import { METADATA_RESERVE_BYTES, METADATA_SPACE_LOOK_MS } from '../../core/limits.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startOn } from '../../metadata/main.ts'
import { versionIdOf } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { ManualClock } from '../contract/manual-clock.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  get,
  objectInit,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

test('a disk that is nearly full: nothing new is taken, deletes are, and writes come back with the room', async () => {
  const clock = new ManualClock()
  let freeBytes = METADATA_RESERVE_BYTES
  const disk = { space: async () => ({ freeBytes, totalBytes: 2 * METADATA_RESERVE_BYTES }) }
  const { api, close } = await startOn(new MemoryEngine(), metadataConfig(), { ...world, clock }, disk)
  const look = () => clock.advance(METADATA_SPACE_LOOK_MS)
  await createBucket(api)
  await put(api, 'kept', { etag: 'first' })
  await put(api, 'deleted')
  const uploadId = await startUpload(api, 'upload')
  const part = await putPart(api, 'upload', uploadId, 1)

  freeBytes = METADATA_RESERVE_BYTES - 1
  look()
  for (const refused of [
    () => createBucket(api, 'another'),
    () => put(api, 'kept', { etag: 'second' }),
    () => startUpload(api, 'upload'),
    () => putPart(api, 'upload', uploadId, 2),
    () => complete(api, 'upload', uploadId, [part]),
  ]) {
    await failsWith(refused(), FailureCode.READ_ONLY)
  }
  await api.call('deleteObject', { bucket: BUCKET, key: 'deleted' })
  assert.equal(await get(api, 'deleted'), undefined)
  assert.equal((await get(api, 'kept'))?.etag, 'first')

  freeBytes = METADATA_RESERVE_BYTES
  look()
  await api.call('commitObject', { object: objectInit('kept', { etag: 'second' }) })
  assert.equal((await get(api, 'kept'))?.etag, 'second')
  await close()
})

test('a disk that is nearly full: delete markers are records, too; a version is removed for good all the same', async () => {
  const clock = new ManualClock()
  let freeBytes = METADATA_RESERVE_BYTES
  const disk = { space: async () => ({ freeBytes, totalBytes: 2 * METADATA_RESERVE_BYTES }) }
  const { api, close } = await startOn(new MemoryEngine(), metadataConfig(), { ...world, clock }, disk)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  const versionId = versionIdOf(await put(api, 'k'))

  freeBytes = METADATA_RESERVE_BYTES - 1
  clock.advance(METADATA_SPACE_LOOK_MS)
  await failsWith(remove(api, 'k'), FailureCode.READ_ONLY)
  await failsWith(remove(api, 'never there'), FailureCode.READ_ONLY)
  assert.equal((await remove(api, 'k', { versionId })).existed, true)
  await setVersioning(api, BucketVersioning.SUSPENDED)
  await failsWith(remove(api, 'k'), FailureCode.READ_ONLY)
  const { versions } = await api.call('listVersions', { bucket: BUCKET, limit: 10 })
  assert.deepEqual(versions, [])
  await close()
})
