import assert from 'node:assert/strict'
import test from 'node:test'
import { versionIdOf } from '../../core/records/version-id.ts'
import { startMetadata } from '../../metadata/main.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import {
  BUCKET,
  createBucket,
  get,
  getVersion,
  put,
  remove,
  setVersioning,
} from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'

test('versions made after a restart, and after a clock that went back, are newer than all before', async () => {
  const { path, remove: removeFolder } = await temporaryDirectory()
  const config = metadataConfig({ engine: 'level', dataDirectory: path })
  const newestFirst: string[] = []
  let order = 0n
  const startMs = Date.now()
  for (let run = 0; run < 4; run++) {
    const clock = { ...world.clock, nowMs: () => startMs - run * 1000 }
    const { api, close } = await startMetadata(config, { ...world, clock })
    if (run === 0) {
      await createBucket(api)
      newestFirst.unshift(versionIdOf(await put(api, 'k')))
      await setVersioning(api, BucketVersioning.ENABLED)
    }
    for (let times = 0; times < 2; times++) {
      const made = await put(api, 'k')
      assert.ok(made.order > order)
      order = made.order
      newestFirst.unshift(versionIdOf(made))
      assert.equal((await get(api, 'k'))?.version, made.version)
    }
    newestFirst.unshift((await remove(api, 'k')).versionId)
    const { versions } = await api.call('listVersions', { bucket: BUCKET, limit: 1000 })
    assert.deepEqual(
      versions.map(({ versionId }) => versionId),
      newestFirst,
    )
    for (const id of newestFirst) assert.ok((await getVersion(api, 'k', id)) !== undefined)
    await close()
  }
  await removeFolder()
})
