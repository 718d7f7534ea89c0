/** What becomes of blobs as time passes, with a clock that is told to. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOB_ORPHAN_AGE_MS_MIN, GARBAGE_GRACE_MS } from '../../core/limits.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { type MetadataPorts, startOn } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { LIVE, ORPHAN, placeOf, states, YOUNG } from '../contract/metadata-api-blobs.ts'
import { createBucket, failsWith, newId, objectInit, put, remove } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { engineWith } from './engine-with.ts'

const HOUR = 60 * 60 * 1000

function timed() {
  const start = Date.now()
  const time = { passedMs: 0, wallMs: 0 }
  const clock = {
    ...world.clock,
    nowMs: () => start + time.passedMs + time.wallMs,
    monotonicMs: () => time.passedMs,
  }
  const ports: MetadataPorts = { ...world, clock }
  return { time, ports }
}

test('what was deleted a moment ago is left alone for the grace, however old it is, across a restart too', async () => {
  const { time, ports } = timed()
  const engine = new MemoryEngine()
  const closed = engineWith(engine, { close: async () => undefined })
  const first = await startOn(closed, metadataConfig(), ports)
  await createBucket(first.api)
  const kept = await put(first.api, 'kept')
  const gone = await put(first.api, 'gone')
  const places = [kept, gone].map(({ key, version, blob }) => placeOf(key, version, blob))
  time.passedMs = 3 * BLOB_ORPHAN_AGE_MS_MIN
  assert.deepEqual(await states(first.api, places), [LIVE, LIVE])
  await remove(first.api, 'gone')
  assert.deepEqual(await states(first.api, places), [LIVE, YOUNG])
  time.passedMs += GARBAGE_GRACE_MS - 1
  assert.deepEqual(await states(first.api, places), [LIVE, YOUNG])
  await first.close()
  const second = await startOn(closed, metadataConfig(), ports)
  assert.deepEqual(await states(second.api, places), [LIVE, YOUNG])
  time.passedMs += 2 * GARBAGE_GRACE_MS
  assert.deepEqual(await states(second.api, places), [LIVE, ORPHAN])
  await second.close()
})

test('a clock that was hours ahead and went back: what was called an orphan is refused, what comes after is not', async () => {
  const { time, ports } = timed()
  const { api, close } = await startOn(new MemoryEngine(), metadataConfig(), ports)
  await createBucket(api)
  const object = objectInit('k')
  const later = objectInit('later', {
    blob: { ...object.blob, id: newId() } as NonNullable<typeof object.blob>,
  })
  time.wallMs = 48 * HOUR
  const place = placeOf('k', object.version ?? '', { id: object.blob?.id ?? '' })
  assert.deepEqual(await states(api, [place]), [ORPHAN])
  time.wallMs = 0
  await failsWith(api.call('commitObject', { object }), FailureCode.STALE_BLOB)
  // Of the same millisecond, perhaps: what is refused then is only put again.
  await failsWith(
    api.call('commitObject', { object: { ...later, blob: object.blob } as typeof later }),
    FailureCode.STALE_BLOB,
  )
  time.passedMs = 10
  const blob = { size: 5n, code: 'rs-4-2', group: 65_536 }
  const id = (Date.now() + 10).toString(16).padStart(12, '0') + '1'.padStart(20, '0')
  await api.call('commitObject', { object: { ...later, blob: { ...blob, id } } as typeof later })
  await close()
})
