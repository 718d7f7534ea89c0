import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import type { EngineEntry, ScanRequest } from '../../metadata/engine/engine.ts'
import { startOn } from '../../metadata/main.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { BUCKET, createBucket, put, setVersioning } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

/** Counts the entries that it is asked for. */
class CountingEngine extends MemoryEngine {
  entries = 0

  override async scan(request: ScanRequest): Promise<EngineEntry[]> {
    const found = await super.scan(request)
    this.entries += found.length
    return found
  }

  override async scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    const found = await super.scanTogether(requests)
    this.entries += found.flat().length
    return found
  }
}

test('a listing of versions reads what it returns, not what it rolls up or goes past', async () => {
  const engine = new CountingEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  const folders = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
  const keys = folders.flatMap((folder) => Array.from({ length: 50 }, (_, index) => `${folder}/${index}`))
  for (let round = 0; round < 8; round++) await Promise.all(keys.map((key) => put(api, key)))

  engine.entries = 0
  const rolledUp = await api.call('listVersions', { bucket: BUCKET, delimiter: '/', limit: 1000 })
  assert.deepEqual(
    rolledUp.commonPrefixes,
    folders.map((folder) => `${folder}/`),
  )
  // A folder costs one short scan in each of the two spaces; there are 3,200 versions.
  assert.ok(engine.entries <= folders.length * 2 * 16, `${engine.entries} entries for 8 folders`)

  engine.entries = 0
  const page = await api.call('listVersions', { bucket: BUCKET, keyMarker: 'd/7', limit: 100 })
  assert.equal(page.versions.length, 100)
  assert.ok(engine.entries <= 2 * 101, `${engine.entries} entries for 100 versions`)
  await close()
})

test('plain listings and reads never meet what was deleted', async () => {
  const engine = new CountingEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  for (let index = 0; index < 200; index++) {
    const key = `gone-${index}`
    await put(api, key)
    await api.call('deleteObject', {
      bucket: BUCKET,
      key,
      markerVersion: index.toString(16).padStart(32, '0'),
    })
  }
  await put(api, 'there')
  engine.entries = 0
  const { objects } = await api.call('listObjects', { bucket: BUCKET, limit: 1000 })
  assert.deepEqual(
    objects.map(({ key }) => key),
    ['there'],
  )
  await api.call('getObject', { bucket: BUCKET, key: 'there' })
  assert.equal(engine.entries, 1)
  await close()
})
