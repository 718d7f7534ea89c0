import assert from 'node:assert/strict'
import test from 'node:test'
import { objectRange, uploadRange } from '../../../core/keyspace/keys.ts'
import { BUCKET_COPY_LEASE_MS } from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { seeded } from '../../chaos/seeded.ts'
import {
  BUCKET,
  createBucket,
  failsWith,
  setVersioning,
  startUpload,
} from '../../contract/metadata-requests.ts'
import { threeProcesses } from './three-processes.ts'

async function scene() {
  const three = await threeProcesses()
  // What the owner of the root before may have given out is over.
  await three.world.clock.pass(BUCKET_COPY_LEASE_MS + 100)
  await three.world.settle()
  return three
}

test('whoever has seen that a bucket has versions sees no write undone that was acknowledged', async () => {
  const { world, requests, routed, drive } = await scene()
  await drive(requests.put(routed, 'z', 'first'))
  // Decided while there were no versions, and long on its way.
  world.process('c').commitDelayMs = 300
  const put = requests.put(routed, 'z', 'second')
  await world.clock.pass(5)
  await drive(setVersioning(routed, BucketVersioning.ENABLED))
  const seen = await drive(routed.call('listVersions', { bucket: BUCKET, limit: 10 }))
  await drive(put)
  world.process('c').commitDelayMs = 0
  const after = await drive(routed.call('listVersions', { bucket: BUCKET, limit: 10 }))
  const etags = after.versions.map(({ object }) => object?.etag)
  for (const { object } of seen.versions) assert.ok(etags.includes(object?.etag), object?.etag)
  await world.closeAll()
})

test('no object is ever in a bucket that was deleted', async () => {
  const { world, requests, routed, drive } = await scene()
  const chance = seeded(1)
  let deleted = 0
  let written = 0
  for (let round = 0; round < 60; round++) {
    const key = chance.pick(['k', 'z'])
    for (const id of ['a', 'b', 'c']) world.process(id).engineDelay = () => chance.next() * 8
    const put = Promise.allSettled([
      world.clock.sleep(chance.next() * 30).then(() => requests.put(routed, key)),
    ])
    const remove = Promise.allSettled([
      world.clock.sleep(chance.next() * 30).then(() => routed.call('deleteBucket', { name: BUCKET })),
    ])
    const [[one], [other]] = await drive(Promise.all([put, remove]))
    if (one?.status === 'fulfilled') {
      written++
      assert.ok(other?.status === 'rejected' && codeOf(other.reason) === FailureCode.BUCKET_NOT_EMPTY)
      await drive(routed.call('deleteObject', { bucket: BUCKET, key }))
    } else {
      deleted++
      assert.equal(codeOf(one?.reason), FailureCode.NO_SUCH_BUCKET)
      assert.equal(other?.status, 'fulfilled')
      assert.deepEqual(await world.engine.scan({ ...objectRange(BUCKET, ''), limit: 10 }), [])
      await drive(createBucket(routed))
    }
  }
  assert.ok(deleted > 10 && written > 10, `${deleted} ${written}`)
  await world.closeAll()
})

test('uploads of a deleted bucket are gone once it is, whatever becomes of its partitions and of the root', async () => {
  for (const trouble of ['none', 'held', 'root', 'owner', 'merge'] as const) {
    const { world, requests, routed, drive } = await scene()
    for (const key of ['k', 'z']) await drive(startUpload(routed, key, requests.newId()))
    if (trouble === 'held') world.process('c').engineDelay = () => 400
    if (trouble === 'owner') world.pause('c')
    const removed = Promise.allSettled([routed.call('deleteBucket', { name: BUCKET })])
    if (trouble === 'root') {
      await world.clock.pass(4)
      world.kill('a')
    }
    await drive(removed)
    if (trouble === 'merge') await drive(requests.merge(routed, 1)).catch(() => undefined)
    if (trouble === 'held') world.process('c').engineDelay = () => 0
    if (trouble === 'owner') world.resume('c')
    await world.settle()
    // What was not known to be deleted is deleted now.
    await drive(routed.call('deleteBucket', { name: BUCKET })).catch((error: unknown) => {
      assert.equal(codeOf(error), FailureCode.NO_SUCH_BUCKET, String(error))
    })
    await world.clock.pass(7000)
    const left = await world.engine.scan({ ...uploadRange(BUCKET, ''), limit: 10 })
    assert.equal(left.length, 0, trouble)
    await drive(createBucket(routed))
    const { uploads } = await drive(routed.call('listUploads', { bucket: BUCKET, limit: 10 }))
    assert.deepEqual(uploads, [])
    await world.closeAll()
  }
})

test('a bucket that is made anew never shows uploads of the one before, however soon', async () => {
  const { world, requests, routed, drive } = await scene()
  for (let round = 0; round < 5; round++) {
    for (const key of ['k', 'z']) await drive(startUpload(routed, key, requests.newId()))
    await drive(routed.call('deleteBucket', { name: BUCKET }).then(() => createBucket(routed)))
    const { uploads } = await drive(routed.call('listUploads', { bucket: BUCKET, limit: 10 }))
    assert.deepEqual(uploads, [])
  }
  await world.closeAll()
})

test('while the root has no owner, requests about a bucket that a process does not know wait for it', async () => {
  const { world, requests, routed, drive } = await scene()
  await drive(createBucket(routed, 'zebra'))
  world.kill('a')
  // On c, which has never been asked for the bucket.
  await drive(requests.put(routed, 'k', 'e', { bucket: 'zebra' }))
  assert.equal(await drive(requests.get(routed, 'k', 'zebra')), 'e')
  await world.closeAll()
})

test('a new root changes no bucket while a copy that the one before gave out may be gone by', async () => {
  const { world, requests, routed, drive } = await scene()
  await drive(requests.put(routed, 'z', 'first'))
  // Cannot be reached by the others, but reaches the engine: nobody can call its copy back.
  world.kill('a')
  await world.settle()
  await drive(setVersioning(routed, BucketVersioning.ENABLED))
  await drive(requests.put(routed, 'z', 'second'))
  const { versions } = await drive(routed.call('listVersions', { bucket: BUCKET, limit: 10 }))
  assert.deepEqual(
    versions.map(({ object }) => object?.etag),
    ['second', 'first'],
  )
  await drive(failsWith(routed.call('deleteBucket', { name: BUCKET }), FailureCode.BUCKET_NOT_EMPTY))
  await world.closeAll()
})

function codeOf(error: unknown): FailureCode | undefined {
  return error instanceof MetadataError ? error.code : undefined
}
