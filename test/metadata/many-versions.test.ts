/** What it costs to find the blobs of a key with very many versions. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { versionKey } from '../../core/keyspace/keys.ts'
import type { ScanRequest } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startOn } from '../../metadata/main.ts'
import { encodeRecord, objectKind } from '../../metadata/records.ts'
import { BucketVersioning, ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { LIVE, placeOf, states, YOUNG } from '../contract/metadata-api-blobs.ts'
import { BUCKET, createBucket, identifierOf, newId, setVersioning } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

const VERSIONS = 10_000

class CountingEngine extends MemoryEngine {
  entries = 0

  override async scan(request: ScanRequest) {
    const found = await super.scan(request)
    this.entries += found.length
    return found
  }
}

test('a blob of one of very many versions is found without a walk over them, also where they are not quite in order', async () => {
  const engine = new CountingEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  const startMs = Date.now() - VERSIONS
  const made = Array.from({ length: VERSIONS }, (_, index) => {
    // Every seventh began long before it was committed.
    const version = identifierOf(startMs + (index % 7 === 0 ? index - 50 : index), index)
    return {
      version,
      blob: { id: newId(), size: 5n, code: 'rs-4-2', group: 65_536 },
      order: BigInt(index * 3 + 1),
    }
  })
  const fence = { key: Uint8Array.of(0), token: undefined }
  for (let start = 0; start < VERSIONS; start += 1000) {
    const puts = made.slice(start, start + 1000).map(({ version, blob, order }) => {
      const fields = { bucket: BUCKET, key: 'k', version, size: 5n, blob, order, versioned: true }
      const value = encodeRecord(objectKind, create(ObjectRecordSchema, fields))
      return { key: versionKey(BUCKET, 'k', order), value }
    })
    await engine.commit({ fence, puts, deletes: [] })
  }
  const place = ({ version, blob }: (typeof made)[number]) => placeOf('k', version, blob)
  const few = [1, 1006, 2345, 7000].flatMap((index) => made[index] ?? [])
  engine.entries = 0
  assert.deepEqual(
    await states(api, few.map(place)),
    few.map(() => LIVE),
  )
  assert.ok(engine.entries < 1024 + few.length * 300, `${engine.entries} entries were read`)
  const all = made.filter((_, index) => index % 61 === 0)
  assert.deepEqual(
    await states(api, all.map(place)),
    all.map(() => LIVE),
  )
  assert.deepEqual(await states(api, [placeOf('k', newId(), { id: newId() })]), [YOUNG])
  await close()
})
