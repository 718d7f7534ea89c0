/** What a check of the records of a running service finds, and that it takes nothing for a fault that is being written. */

import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { nullVersionKey, nullVersionValue } from '../../core/keyspace/keys.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { startOn } from '../../metadata/main.ts'
import type { Fault } from '../../metadata/structure/faults.ts'
import { checkLiveRecords, type LiveCheckRequest } from '../../metadata/structure/live-check.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  newId,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'
import { fill, KeptEngine } from './backups.ts'
import { createVersioned, idOf, move, startWith, Writers } from './engine-move.ts'
import { entries, plants } from './record-plants.ts'

/** Nothing is waited for; `between` is done before the second look. */
function clockWith(between: () => Promise<void> = () => Promise.resolve()) {
  const { clock } = world
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (ms: number, run: () => void) => clock.after(ms, run),
    sleep: () => between(),
  }
}

async function check(api: MetadataApi, more: Partial<LiveCheckRequest> = {}) {
  const faults: Fault[] = []
  const unseen = await checkLiveRecords({
    api,
    clock: clockWith(),
    signal: new AbortController().signal,
    onFault: (fault) => faults.push(fault),
    ...more,
  })
  return { faults, unseen }
}

/** A service on sound records, and then on others behind its back. */
async function planted(t: TestContext, changed: readonly EngineEntry[]): Promise<MetadataApi> {
  const engine = new KeptEngine()
  await fill(engine, entries)
  const { api, close } = await startOn(engine, metadataConfig(), world)
  t.after(close)
  const kept = new Set(changed.map(({ key }) => key.join()))
  const deletes = entries.map(({ key }) => key).filter((key) => !kept.has(key.join()))
  await engine.commit({ fence: { key: Uint8Array.of(0xee), token: undefined }, puts: [], deletes })
  await fill(
    engine,
    changed.filter((entry) => !entries.includes(entry)),
  )
  return api
}

for (const [kind, message, changed] of plants) {
  test(`${kind}: ${message.source}`, async (t) => {
    const { faults, unseen } = await check(await planted(t, changed))
    assert.deepEqual(unseen, [])
    const text = ({ detail, place: { bucket, key, partition } }: Fault): string => {
      if (partition !== undefined) return `partition ${partition}: ${detail}`
      if (bucket === undefined) return detail
      return key === undefined ? `bucket ${bucket}: ${detail}` : `${bucket}/${key}: ${detail}`
    }
    assert.ok(
      faults.some((fault) => fault.kind === kind && message.test(text(fault))),
      JSON.stringify(faults),
    )
  })
}

test('the records of a sound service have no fault', async (t) => {
  assert.deepEqual(await check(await planted(t, entries)), { faults: [], unseen: [] })
})

test('only what is of a bucket, or of keys that begin so, is told', async (t) => {
  const dangling = ['a/1', 'a/2', 'b/1'].map((key) => ({
    key: nullVersionKey(BUCKET, key),
    value: nullVersionValue(7n),
  }))
  const api = await planted(t, [...entries, ...dangling])
  const keysOf = async (more: Partial<LiveCheckRequest>) =>
    (await check(api, more)).faults.map(({ place }) => place.key)
  assert.deepEqual(await keysOf({}), ['a/1', 'a/2', 'b/1'])
  assert.deepEqual(await keysOf({ bucket: BUCKET, prefix: 'a/' }), ['a/1', 'a/2'])
  assert.deepEqual(await keysOf({ bucket: BUCKET, prefix: 'a/2' }), ['a/2'])
  assert.deepEqual(await keysOf({ bucket: 'another' }), [])
})

test('more than fits in one second look is told all the same, each once', async (t) => {
  const count = 20
  const dangling = Array.from({ length: count }, (_, i) => ({
    key: nullVersionKey(BUCKET, `d${i}`),
    value: nullVersionValue(7n),
  }))
  const { faults } = await check(await planted(t, [...entries, ...dangling]), { suspectsMax: 8 })
  assert.equal(new Set(faults.map(({ place }) => place.key)).size, count)
  assert.equal(faults.length, count)
})

test('what is well again at the second look is not told', async (t) => {
  const engine = new KeptEngine()
  await fill(engine, entries)
  const { api, close } = await startOn(engine, metadataConfig(), world)
  t.after(close)
  const key = nullVersionKey(BUCKET, 'x')
  await fill(engine, [{ key, value: nullVersionValue(7n) }])
  const fence = { key: Uint8Array.of(0xee), token: undefined }
  const mend = async () => engine.commit({ fence, puts: [], deletes: [key] })
  assert.deepEqual((await check(api, { clock: clockWith(mend) })).faults, [])
})

test('a snapshot that is let go is followed by another, from where it was', async (t) => {
  const dangling = ['a', 'n', 'z'].map((key) => ({
    key: nullVersionKey(BUCKET, key),
    value: nullVersionValue(7n),
  }))
  const api = await planted(t, [...entries, ...dangling])
  for (const [everyNth, whole] of [
    [60, true],
    [1, false],
  ] as const) {
    let reads = 0
    const flaky: MetadataApi = {
      call: (operation, request, signal) =>
        operation === 'readBackup' && ++reads % everyNth === 0
          ? Promise.reject(new MetadataError(FailureCode.INVALID_REQUEST, 'let go'))
          : api.call(operation, request, signal),
    }
    const { faults, unseen } = await check(flaky)
    const keys = faults.map(({ place }) => place.key)
    assert.deepEqual(keys, whole ? ['a', 'n', 'z'] : [])
    assert.deepEqual(unseen, whole ? [] : [{ what: 'metadata', why: 'let go' }])
  }
})

test('an engine in a folder: what lies there wrongly is found while it is served', async (t) => {
  const { path, remove: removeFolder } = await temporaryDirectory()
  t.after(removeFolder)
  const engine = await LevelEngine.open(path)
  const { api, close } = await startOn(engine, metadataConfig(), world)
  t.after(close)
  await createBucket(api)
  await put(api, 'k')
  const fence = { key: Uint8Array.of(0xee), token: undefined }
  const value = nullVersionValue(3n)
  await engine.commit({ fence, puts: [{ key: nullVersionKey(BUCKET, 'k'), value }], deletes: [] })
  const { faults } = await check(api)
  assert.deepEqual(
    faults.map(({ kind, place }) => [kind, place.key]),
    [['null-version', 'k']],
  )
})

test('what is written, deleted, uploaded and annotated meanwhile is no fault', async (t) => {
  const { api, close } = await startOn(new KeptEngine(), metadataConfig(), world)
  t.after(close)
  await createBucket(api)
  await put(api, 'k0')
  const over = new AbortController()
  const writing = (async () => {
    const all = [BucketVersioning.ENABLED, BucketVersioning.SUSPENDED]
    for (let i = 0; !over.signal.aborted; i++) {
      const key = `k${i % 5}`
      if (i % 10 === 0) await setVersioning(api, all[(i / 10) % 2] ?? BucketVersioning.ENABLED)
      await put(api, key)
      if (i % 3 === 0) await remove(api, key)
      const upload = await startUpload(api, key)
      const part = await putPart(api, key, upload, 1)
      if (i % 2 === 0) await complete(api, key, upload, [part])
      else await api.call('abortUpload', { bucket: BUCKET, key, uploadId: upload })
      await createBucket(api, `b${i}`)
      await startUpload(api, 'left', newId(), `b${i}`)
      await api.call('deleteBucket', { name: `b${i}` })
    }
  })()
  for (let look = 0; look < 20; look++) {
    assert.deepEqual(await check(api), { faults: [], unseen: [] })
  }
  over.abort()
  await writing
})

test('a partition that moves between engines while it is written has no fault, and what is left on one is found', async (t) => {
  const one = new KeptEngine()
  const two = new KeptEngine()
  const { api, node, close } = await startWith([one, two])
  t.after(close)
  await createVersioned(api)
  const writers = new Writers(api)
  writers.start(4, 10)
  await writers.until(50)
  for (const to of [two, one, two]) {
    const moving = move(api, 1, to)
    assert.deepEqual(await check(api), { faults: [], unseen: [] })
    await moving
    assert.deepEqual(await check(api), { faults: [], unseen: [] })
    await writers.until(20)
  }
  await writers.stop()
  await node.tidy()
  const stray = entries.filter(({ key }) => key[0] === 0x27)
  assert.equal(stray.length, 1)
  await fill(one, stray)
  const { faults } = await check(api)
  assert.deepEqual(
    faults.map(({ kind, place }) => [kind, place.key]),
    [['stray-record', 'k']],
  )
  assert.ok(faults[0]?.detail.includes(await idOf(one)))
})
