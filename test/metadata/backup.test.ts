/** Backups of a running service, and what is restored from them. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import { KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import {
  leaseKey,
  objectKey,
  orderReserveKey,
  outboxRange,
  restoredKey,
  restoringKey,
} from '../../core/keyspace/keys.ts'
import {
  BACKUP_IDLE_MS,
  BACKUPS_OPEN_MAX,
  BLOB_ORPHAN_AGE_MS_MIN,
  RESTORE_SEQUENCE_STEP,
} from '../../core/limits.ts'
import { unpackEntries } from '../../metadata/backup/format/entries.ts'
import { OpenBackups } from '../../metadata/backup/open-backups.ts'
import { EngineNotEmptyError } from '../../metadata/backup/restore.ts'
import { RestoreInterruptedError } from '../../metadata/cluster/format.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startOn } from '../../metadata/main.ts'
import { encodeRecord, outboxKind } from '../../metadata/records.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning, OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { ManualClock } from '../contract/manual-clock.ts'
import { LIVE, ORPHAN, placeOf, states, YOUNG } from '../contract/metadata-api-blobs.ts'
import {
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  getVersion,
  newId,
  objectInit,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'
import {
  allEntries,
  assertVerified,
  backUp,
  fill,
  fileOf,
  KeptEngine,
  momentsOf,
  restoreFile,
} from './backups.ts'
import { engineWith } from './engine-with.ts'
import { assertStructure } from './version-structure.ts'
import { versionIdOf } from '../../core/records/version-id.ts'

async function runOn(engine: MemoryEngine | LevelEngine) {
  return await startOn(engine, metadataConfig(), world)
}

test('what a service holds is restored into another engine, and goes on from there', async () => {
  const first = await runOn(new KeptEngine())
  await createBucket(first.api)
  await setVersioning(first.api, BucketVersioning.ENABLED)
  const old = await put(first.api, 'k')
  const current = await put(first.api, 'k')
  await put(first.api, 'gone')
  await remove(first.api, 'gone')
  await createBucket(first.api, 'plain')
  await put(first.api, 'x', { bucket: 'plain' })
  await put(first.api, 'x', { bucket: 'plain' })
  const upload = await startUpload(first.api, 'parts')
  const whole = await complete(first.api, 'parts', upload, [await putPart(first.api, 'parts', upload, 1)])
  const open = await startUpload(first.api, 'later')
  const part = await putPart(first.api, 'later', open, 1)
  const collected = await garbage(first.api)
  const { map } = await first.api.call('getCluster', {})
  const file = await backUp(first.api)
  await put(first.api, 'too late')
  const last = await put(first.api, 'k')
  await first.close()

  const { counts } = await assertVerified(file)
  const count = (name: string) => counts.find((one) => one.name === name)?.count
  assert.deepEqual(
    [count('objects'), count('older versions and delete markers'), count('manifest pages')],
    [3, 3, 1],
  )

  const { path, remove: removeFolder } = await temporaryDirectory()
  const engine = await LevelEngine.open(path)
  await restoreFile(file, engine)
  assert.equal(await engine.get(leaseKey(1)), undefined, 'nobody owns it')
  const inMemory = new KeptEngine()
  await restoreFile(file, inMemory)
  await assertStructure(inMemory)
  const second = await runOn(engine)
  const { api } = second
  assert.equal((await get(api, 'k'))?.version, current.version)
  assert.equal((await getVersion(api, 'k', versionIdOf(old)))?.version, old.version)
  assert.equal((await get(api, 'parts'))?.version, whole.version)
  assert.equal(await get(api, 'gone'), undefined)
  assert.equal(await get(api, 'too late'), undefined)
  assert.deepEqual(await garbage(api), collected)
  await complete(api, 'later', open, [part])
  // Whatever order was given to what is lost, it is not given again.
  const next = await put(api, 'k')
  assert.ok(next.order > last.order + BigInt(RESTORE_SEQUENCE_STEP) - 100_000n)
  const { map: after } = await api.call('getCluster', {})
  assert.ok((after?.epoch ?? 0n) > (map?.epoch ?? 0n) + 1000n, 'nodes have heard of no later map')
  const { restored } = await api.call('getBackupState', {})
  assert.deepEqual(
    restored.map(({ backupMs, restoredMs, source }) => [backupMs, restoredMs, source]),
    [[1n, 2n, 'a test']],
  )
  // A backup of what was restored keeps what is not accepted in mind.
  const again = new KeptEngine()
  await restoreFile(await backUp(api), again, { backupMs: 3, restoredMs: 4 })
  await second.close()
  const third = await runOn(again)
  assert.deepEqual(
    (await third.api.call('getBackupState', {})).restored.map(({ restoredMs }) => restoredMs),
    [2n, 4n],
  )
  await third.close()
  await removeFolder()
})

test('a backup shows one moment, whatever is written while it is read', async () => {
  const engine = new MemoryEngine()
  const pairs = 600
  const at = (side: number, index: number) => objectKey('b', `${side}-${String(index).padStart(4, '0')}`)
  const value = world.random.bytes(20_000)
  const sides = Array.from({ length: pairs }, () => 0)
  for (let index = 0; index < pairs; index++) await fill(engine, [{ key: at(0, index), value }])
  let moves = 0
  /** Each token lies on one side at any moment. */
  async function move(): Promise<void> {
    const index = (moves++ * 7) % pairs
    const side = sides[index] ?? 0
    sides[index] = 1 - side
    const fence = { key: Uint8Array.of(0xee), token: undefined }
    await engine.commit({ fence, puts: [{ key: at(1 - side, index), value }], deletes: [at(side, index)] })
  }
  const backups = new OpenBackups({ moments: momentsOf(engine), ...world })
  const { id } = await backups.open()
  const seen: string[] = []
  let pages = 0
  for (let after: Uint8Array = new Uint8Array(); ; pages++) {
    for (let more = 0; more < 30; more++) await move()
    const page = unpackEntries(await backups.read(id, 0, after))
    const last = page.at(-1)
    if (last === undefined) break
    seen.push(...page.map(({ key }) => Buffer.from(key).toString().slice(-4)))
    after = last.key
  }
  assert.ok(pages > 3, 'pages enough for moves between them')
  assert.equal(seen.length, pairs)
  assert.equal(new Set(seen).size, pairs)
  await backups.closeAll()
})

test('a bounded number of backups is open, and none for long that nobody reads', async () => {
  const clock = new ManualClock()
  const { api, close } = await startOn(new MemoryEngine(), metadataConfig(), { ...world, clock })
  const ids: string[] = []
  for (let count = 0; count < BACKUPS_OPEN_MAX; count++) ids.push((await api.call('openBackup', {})).id)
  const [first = '', second = ''] = ids
  await failsWith(api.call('openBackup', {}), FailureCode.INVALID_REQUEST)
  await api.call('closeBackup', { id: first })
  await failsWith(api.call('readBackup', { id: first }), FailureCode.INVALID_REQUEST)
  await api.call('openBackup', {})
  clock.advance(BACKUP_IDLE_MS - 1)
  assert.ok((await api.call('readBackup', { id: second })).entries.length > 0)
  clock.advance(2)
  // Only the one that was read is left.
  await api.call('readBackup', { id: second })
  for (const id of ids.slice(2)) {
    await failsWith(api.call('readBackup', { id }), FailureCode.INVALID_REQUEST)
  }
  clock.advance(BACKUP_IDLE_MS)
  await failsWith(api.call('readBackup', { id: second }), FailureCode.INVALID_REQUEST)
  await close()
})

test('a restore that was cut short leaves nothing that a service starts on, and can be run again', async () => {
  const source = await runOn(new KeptEngine())
  await createBucket(source.api)
  for (let index = 0; index < 40; index++) await put(source.api, `k${index}`)
  const file = await backUp(source.api)
  await source.close()
  const wanted = new KeptEngine()
  await restoreFile(file, wanted)

  for (let allowed = 0; ; allowed++) {
    const engine = new KeptEngine()
    let left = allowed
    const failing = engineWith(engine, {
      // As small as it gets, so that there is much to be cut.
      limits: { operations: 8, bytes: 1_000_000 },
      async commit(batch) {
        if (left-- === 0) throw new Error('cut off')
        await engine.commit(batch)
      },
    })
    try {
      await restoreFile(file, failing)
    } catch (error) {
      assert.match(String(error), /cut off/)
      if (allowed === 0) continue
      assert.notEqual(await engine.get(restoringKey), undefined)
      await assert.rejects(startOn(engine, metadataConfig(), world), RestoreInterruptedError)
      // Of another backup, say.
      if (allowed > 2) await fill(engine, [{ key: objectKey('b', 'other'), value: Uint8Array.of(1) }])
      await restoreFile(file, engine)
      assert.deepEqual(await allEntries(engine), await allEntries(wanted))
      continue
    }
    assert.ok(allowed > 5)
    break
  }
})

test('what is not empty is not restored into, and is left as it was', async () => {
  const engine = new KeptEngine()
  const { api, close } = await runOn(engine)
  const file = await backUp(api)
  const before = await allEntries(engine)
  await assert.rejects(restoreFile(file, engine), EngineNotEmptyError)
  assert.deepEqual(await allEntries(engine), before)
  await close()
  // An engine's own id is all that a new one has.
  const fresh = new KeptEngine()
  await fill(fresh, [{ key: Uint8Array.of(0x08), value: Uint8Array.of(1, 2) }])
  await restoreFile(file, fresh)
  assert.deepEqual(await fresh.get(Uint8Array.of(0x08)), Uint8Array.of(1, 2))
})

test('many partitions become one: tasks follow each other, and orders go on from the highest', async () => {
  const task = (partition: number, sequence: number, key: string) => ({
    key: new KeyWriter(0x30).number(partition, 8).number(sequence, 8).bytes(),
    value: encodeRecord(
      outboxKind,
      create(OutboxRecordSchema, {
        sequence: BigInt(sequence),
        task: { case: 'garbage', value: { bucket: 'b', key } },
      }),
    ),
  })
  const reserve = (partition: number, value: number) => ({
    key: orderReserveKey(partition),
    value: new KeyWriter(1).number(value, 8).bytes(),
  })
  const file = await fileOf([reserve(1, 5), reserve(2, 900), task(1, 7, 'x'), task(2, 7, 'y')])
  const engine = new KeptEngine()
  await restoreFile(file, engine)
  const order = await engine.get(orderReserveKey(1))
  assert.equal(new KeyReader(order ?? new Uint8Array()).number(8), 900 + RESTORE_SEQUENCE_STEP)
  assert.equal(await engine.get(orderReserveKey(2)), undefined)
  const tasks = await engine.scan({ ...outboxRange(1, 'garbage'), limit: 10 })
  assert.equal(tasks.length, 2)
})

test('blobs of the time that a restore lost are no orphans until it is accepted', async () => {
  const start = Date.now()
  let passedMs = 0
  const clock = { ...world.clock, nowMs: () => start + passedMs, monotonicMs: () => passedMs }
  const ports = { ...world, clock }
  const hour = 60 * 60 * 1000
  const first = await startOn(new KeptEngine(), metadataConfig(), ports)
  await createBucket(first.api)
  const kept = await put(first.api, 'kept')
  // Begun before the backup, committed after it.
  const begun = objectInit('begun')
  const file = await backUp(first.api)
  const { object: late } = await first.api.call('commitObject', { object: begun })
  assert.ok(late !== undefined)
  await first.close()

  const engine = new KeptEngine()
  passedMs = 20 * hour
  await restoreFile(file, engine, { backupMs: start, restoredMs: start + passedMs })
  const second = await startOn(engine, metadataConfig(), ports)
  const places = [
    placeOf('kept', kept.version, kept.blob),
    placeOf('begun', late.version, late.blob),
    // Long before, and long after.
    blobAt(start - 14 * hour),
    blobAt(start + 15 * hour),
    blobAt(start + 22 * hour),
  ]
  passedMs = 20 * hour + 2 * BLOB_ORPHAN_AGE_MS_MIN
  assert.deepEqual(await states(second.api, places), [LIVE, YOUNG, ORPHAN, YOUNG, ORPHAN])
  await second.close()
  const third = await startOn(engine, metadataConfig(), ports)
  assert.deepEqual(await states(third.api, places), [LIVE, YOUNG, ORPHAN, YOUNG, ORPHAN])
  assert.equal((await third.api.call('acceptRestore', {})).spans.length, 1)
  assert.deepEqual((await third.api.call('getBackupState', {})).restored, [])
  assert.deepEqual(await states(third.api, places), [LIVE, ORPHAN, ORPHAN, ORPHAN, ORPHAN])
  assert.equal(await engine.get(restoredKey), undefined)
  assert.deepEqual((await third.api.call('acceptRestore', {})).spans, [])
  await third.close()

  function blobAt(timeMs: number) {
    const id = timeMs.toString(16).padStart(12, '0') + newId().slice(12)
    return placeOf('nobody', newId(), { id })
  }
})
