/** What `verify` says of records that cannot be, or do not fit each other. */

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { create } from '@bufbuild/protobuf'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import {
  annotationKey,
  manifestPageKey,
  nullVersionKey,
  nullVersionValue,
  objectKey,
  outboxKey,
  ownedBucketKey,
  versionKey,
} from '../../core/keyspace/keys.ts'
import { verifyBackup } from '../../metadata/backup/verify.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { startOn } from '../../metadata/main.ts'
import { annotationKind, encodeRecord, objectKind, outboxKind } from '../../metadata/records.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import {
  AnnotationRecordSchema,
  BucketVersioning,
  ObjectRecordSchema,
  OutboxRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import {
  BUCKET,
  complete,
  createBucket,
  get,
  newId,
  OWNER,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { allEntries, assertVerified, backUp, fileOf, KeptEngine } from './backups.ts'

async function annotate(api: MetadataApi, key: string, name: string): Promise<void> {
  const { version = '' } = (await get(api, key)) ?? {}
  const blob = { id: newId(), size: 1n, code: 'replica-3', group: 131_072 }
  const annotation = { name, size: 1n, etag: 'e', blob }
  await api.call('putAnnotation', { bucket: BUCKET, key, version, annotation, limitPerObject: 10 })
}

/** A bit of everything: versions, markers, a null version below others, annotations, a manifest, tasks. */
async function scene(): Promise<EngineEntry[]> {
  const engine = new KeptEngine()
  const { api, close } = await startOn(engine, metadataConfig(), world)
  await createBucket(api)
  await put(api, 'k')
  await setVersioning(api, BucketVersioning.ENABLED)
  await put(api, 'k')
  await annotate(api, 'k', 'note')
  await put(api, 'k')
  await put(api, 'deleted')
  await remove(api, 'deleted')
  const upload = await startUpload(api, 'whole')
  await complete(api, 'whole', upload, [await putPart(api, 'whole', upload, 1)])
  await close()
  return await allEntries(engine)
}

async function faultsOf(entries: readonly EngineEntry[]): Promise<readonly string[]> {
  const ordered = entries.toSorted((left, right) => compareBytes(left.key, right.key))
  return (await verifyBackup(await fileOf(ordered))).faults
}

const entries = await scene()
const object = (key: string, more = {}) =>
  encodeRecord(objectKind, create(ObjectRecordSchema, { bucket: BUCKET, key, version: newId(), ...more }))
const has = (left: Uint8Array) => (entry: EngineEntry) => compareBytes(left, entry.key) === 0
const inSpace = (space: number) => (entry: EngineEntry) => entry.key[0] === space

function found(such: (entry: EngineEntry) => boolean): EngineEntry {
  const entry = entries.find(such)
  assert.ok(entry !== undefined)
  return entry
}

const without = (such: (entry: EngineEntry) => boolean): EngineEntry[] => {
  const first = found(such)
  return entries.filter((entry) => entry !== first)
}

test('what a service has written has no faults', async () => {
  assert.deepEqual(await faultsOf(entries), [])
  await assertVerified(await fileOf(entries))
})

test('each rule names what breaks it', async () => {
  const current = found(has(objectKey(BUCKET, 'k')))
  const page = found(inSpace(0x21))
  const blob = { id: newId(), size: 1n, code: 'replica-3', group: 1 }
  const garbageTask = create(OutboxRecordSchema, { task: { case: 'garbage', value: { blobs: [blob] } } })
  const wrong: [RegExp, EngineEntry[]][] = [
    [/^keys of space 99 are unknown/, [...entries, { key: Uint8Array.of(0x99), value: Uint8Array.of() }]],
    [/^buckets, key 10/, [...entries, { key: Uint8Array.of(0x10, 0x78), value: Uint8Array.of(0xff) }]],
    [/bucket bucket: it is not among the buckets of its owner/, without(has(ownedBucketKey(OWNER, BUCKET)))],
    [/bucket bucket: .* should own it, and it is not there/, without(inSpace(0x10))],
    [
      /bucket elsewhere: there are objects of it, and it is not there/,
      [...entries, { key: objectKey('elsewhere', 'x'), value: object('x', { bucket: 'elsewhere' }) }],
    ],
    [
      /bucket\/x: .* in the place of another/,
      [...entries, { key: objectKey(BUCKET, 'x'), value: object('y') }],
    ],
    [/bucket\/x: a record of it: /, [...entries, { key: objectKey(BUCKET, 'x'), value: Uint8Array.of(0xff) }]],
    [
      /bucket\/x: a delete marker is the current object/,
      [...entries, { key: objectKey(BUCKET, 'x'), value: object('x', { deleteMarker: true }) }],
    ],
    [/bucket\/k: its newest version is an object/, without(has(objectKey(BUCKET, 'k')))],
    [
      /bucket\/k: its current object is older/,
      [
        ...entries,
        { key: versionKey(BUCKET, 'k', 999_999n), value: object('k', { order: 999_999n, versioned: true }) },
      ],
    ],
    [
      /bucket\/k: version .* lies in two places/,
      [
        ...without(has(objectKey(BUCKET, 'k'))),
        current,
        { key: versionKey(BUCKET, 'k', 0n), value: current.value },
      ],
    ],
    [/bucket\/k: nothing leads to its null version/, without(inSpace(0x27))],
    [
      /bucket\/new: its pointer leads to a null version of order 7/,
      [...entries, { key: nullVersionKey(BUCKET, 'new'), value: nullVersionValue(7n) }],
    ],
    [/bucket\/k: version .* should have 1 annotations, and has 0/, without(inSpace(0x28))],
    [
      /annotations of version .* are not to be purged/,
      [
        ...entries,
        {
          key: annotationKey({ bucket: BUCKET, key: 'k', version: newId() }, 'n'),
          value: encodeRecord(annotationKind, create(AnnotationRecordSchema, { name: 'n' })),
        },
      ],
    ],
    [/bucket\/whole: version .*: it should have 1 manifest pages, and has 0/, without(inSpace(0x21))],
    [
      /bucket\/k: page 0 belongs to version .*, which is not there/,
      [...entries, { key: manifestPageKey(BUCKET, 'k', newId(), 0), value: page.value }],
    ],
    [
      /bucket\/x: its blob .* is to be removed as garbage/,
      [
        ...entries,
        { key: objectKey(BUCKET, 'x'), value: object('x', { blob }) },
        { key: outboxKey(9, 'garbage', 1), value: encodeRecord(outboxKind, garbageTask) },
      ],
    ],
  ]
  for (const [message, changed] of wrong) {
    const unique = [...new Map(changed.map((entry) => [entry.key.join(), entry])).values()]
    const faults = await faultsOf(unique)
    assert.ok(
      faults.some((fault) => message.test(fault)),
      `${message}: ${faults.join('; ') || 'nothing'}`,
    )
  }
})

test('whichever single record of objects is lost, it is missed, unless it was all of its key', async () => {
  const bound = entries.filter(
    (entry) =>
      [0x10, 0x11, 0x21, 0x27, 0x28].includes(entry.key[0] ?? 0) || has(objectKey(BUCKET, 'k'))(entry),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bound), async (lost) => {
      assert.notDeepEqual(await faultsOf(entries.filter((entry) => entry !== lost)), [])
    }),
    { numRuns: 20 },
  )
})

test('a backup of a service in use is whole', async () => {
  const { api, close } = await startOn(new KeptEngine(), metadataConfig(), world)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  const writing = new AbortController()
  const writer = (async () => {
    for (let count = 0; !writing.signal.aborted; count++) {
      const key = `k${count % 7}`
      if (count % 3 === 2) await remove(api, key)
      else await put(api, key)
    }
  })()
  for (let count = 0; count < 5; count++) await assertVerified(await backUp(api))
  writing.abort()
  await writer
  await close()
})
