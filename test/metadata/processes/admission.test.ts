/** A write is admitted, and its range is another process's, or another partition's, before it commits. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { s3Rates } from '../../../core/admission/s3-rates.ts'
import { S3_WRITES_PER_SECOND } from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { BUCKET, createBucket, failsWith, OWNER } from '../../contract/metadata-requests.ts'
import { Requests } from './requests.ts'
import { World } from './world.ts'

async function scene() {
  const world = new World()
  const start = (id: string) => world.start(id, { config: { heldTo: s3Rates(1) } })
  await world.clock.drive(Promise.all(['a', 'b'].map(start)))
  await world.settle()
  const requests = new Requests(world.clock)
  const routed = world.routed()
  const drive = <T>(work: Promise<T>) => world.clock.drive(work)
  await drive(createBucket(routed))
  await drive(requests.move(routed, 1, 'a'))
  // The second in which it began counts nothing.
  await world.clock.pass(2000)
  const ask = async (key: string): Promise<bigint> =>
    (await drive(routed.call('admitWrite', { bucket: BUCKET, key }))).admission
  const commit = (api: MetadataApi, key: string, admission: bigint) => {
    const id = requests.newId()
    const object = {
      bucket: BUCKET,
      key,
      version: id,
      size: 5n,
      etag: 'e',
      storageClass: 'STANDARD',
      owner: OWNER,
      blob: { id, size: 5n, code: 'rs-4-2', group: 65_536 },
    }
    return drive(api.call('commitObject', { object, admission }))
  }
  /** Writes that were asked of a partition since its range or owner changed, refused or not. */
  const written = async (id: string, partition: number): Promise<number> => {
    // Seconds count when they are over.
    await world.clock.pass(2000)
    const owned = world.node(id).host.served.find(({ range }) => range.id === partition)
    assert.ok(owned !== undefined)
    return owned.meter.rates().writes.reduce((sum, one) => sum + one, 0)
  }
  return { world, requests, routed, drive, ask, commit, written }
}

test('it commits at its own process without counting again, also once the partition was cut', async () => {
  const { world, requests, routed, drive, ask, commit, written } = await scene()
  const [first, second] = [await ask('k'), await ask('z')]
  await commit(routed, 'k', first)
  assert.equal(await written('a', 1), 2)
  await drive(requests.split(routed, 1, 'm'))
  await world.clock.pass(2000)
  await commit(routed, 'z', second)
  assert.equal(await written('a', 2), 0)
  // Used up.
  await commit(routed, 'z', second)
  assert.equal(await written('a', 2), 1)
  await world.closeAll()
})

test('the process that the range has moved to does not know the admission: the commit counts there, and goes on', async () => {
  const { world, requests, routed, drive, ask, commit, written } = await scene()
  const [first, second] = [await ask('k'), await ask('l')]
  await drive(requests.move(routed, 1, 'b'))
  await world.clock.pass(2000)
  await commit(routed, 'k', first)
  assert.equal(await written('b', 1), 1)
  // With the new owner at its figure, the commit is refused like any other; nothing was done, and a second later it is taken.
  const owner = world.node('b').host.served.find(({ range }) => range.id === 1)
  assert.ok(owner !== undefined)
  const fill: Parameters<typeof owner.meter.take>[0] = {
    case: 'abortUpload',
    value: { $typeName: 'ashlar.v1.AbortUploadRequest', bucket: BUCKET, key: 'x', uploadId: '' },
  }
  for (let count = 0; count < S3_WRITES_PER_SECOND; count++) owner.meter.take(fill)
  await failsWith(commit(routed, 'l', second), FailureCode.SLOW_DOWN)
  await failsWith(drive(routed.call('admitWrite', { bucket: BUCKET, key: 'l' })), FailureCode.SLOW_DOWN)
  assert.equal(await drive(requests.get(routed, 'l')), undefined)
  await world.clock.pass(1000)
  await commit(routed, 'l', second)
  assert.equal(await drive(requests.get(routed, 'l')), 'e')
  await world.closeAll()
})
