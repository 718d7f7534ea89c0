import assert from 'node:assert/strict'
import { create } from '@bufbuild/protobuf'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import {
  annotationKey,
  annotationPurgeKey,
  bucketKey,
  bucketPurgeKey,
  bucketSettingKey,
  manifestPageKey,
  nullVersionKey,
  nullVersionValue,
  objectKey,
  orderReserveKey,
  outboxKey,
  outboxReserveKey,
  ownedBucketKey,
  readUploadKey,
  type UploadPlace,
  uploadKey,
  uploadPurgeKey,
  versionKey,
} from '../../core/keyspace/keys.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { startOn } from '../../metadata/main.ts'
import type { FaultKind } from '../../metadata/structure/kinds.ts'
import {
  annotationKind,
  decodeRecord,
  encodeRecord,
  manifestKind,
  objectKind,
  outboxKind,
  partKind,
  settingKind,
  uploadKind,
} from '../../metadata/records.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import {
  AnnotationRecordSchema,
  type BlobRecord,
  BlobRecordSchema,
  BucketSettingSchema,
  BucketVersioning,
  ObjectRecordSchema,
  OutboxRecordSchema,
  UploadRecordSchema,
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
import { allEntries, KeptEngine } from './backups.ts'

/** Records of a service, and ways in which they can be made to disagree. */

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
  await put(api, 'k')
  await setVersioning(api, BucketVersioning.ENABLED)
  await put(api, 'k')
  await annotate(api, 'k', 'note')
  await put(api, 'k')
  await put(api, 'deleted')
  await remove(api, 'deleted')
  const upload = await startUpload(api, 'whole')
  await complete(api, 'whole', upload, [await putPart(api, 'whole', upload, 1)])
  const goesOn = await startUpload(api, 'in-progress')
  await putPart(api, 'in-progress', goesOn, 1)
  await close()
  return await allEntries(engine)
}

export const entries = await scene()
const object = (key: string, more = {}) =>
  encodeRecord(objectKind, create(ObjectRecordSchema, { bucket: BUCKET, key, version: newId(), ...more }))
export const has = (left: Uint8Array) => (entry: EngineEntry) => compareBytes(left, entry.key) === 0
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

const current = found(has(objectKey(BUCKET, 'k')))
const page = found(inSpace(0x21))
const blob = create(BlobRecordSchema, { id: newId(), size: 1n, code: 'replica-3', group: 1 })
const garbageTask = create(OutboxRecordSchema, {
  sequence: 1n,
  task: { case: 'garbage', value: { blobs: [blob] } },
})
const part = found(inSpace(0x23))
const partRecord = decodeRecord(partKind, part.value)
const inProgress = readUploadKey(found(inSpace(0x22)).key)
const elsewhere = { bucket: 'nowhere', key: 'x', uploadId: newId() }
const tagging = encodeRecord(
  settingKind,
  create(BucketSettingSchema, { setting: { case: 'tagging', value: { tags: [] } } }),
)
const repairTask = encodeRecord(
  outboxKind,
  create(OutboxRecordSchema, { sequence: 1n, task: { case: 'repair', value: { bucket: BUCKET, key: 'k' } } }),
)

function uploadOf(place: UploadPlace): Uint8Array {
  return encodeRecord(uploadKind, create(UploadRecordSchema, place))
}

function changedPart(fields: { size?: bigint; partNumber?: number }): Uint8Array {
  return encodeRecord(partKind, Object.assign(decodeRecord(partKind, part.value), fields))
}

function taskOf(sequence: number, garbage: BlobRecord | undefined): Uint8Array {
  const task = {
    case: 'garbage' as const,
    value: { bucket: BUCKET, blobs: garbage === undefined ? [] : [garbage] },
  }
  return encodeRecord(outboxKind, create(OutboxRecordSchema, { sequence: BigInt(sequence), task }))
}

/** A page of which a part has become larger, and its blob with it. */
function changedPage(): Uint8Array {
  const record = decodeRecord(manifestKind, page.value)
  for (const one of record.parts) {
    one.size += 5n
    if (one.blob !== undefined) one.blob.size += 5n
  }
  return encodeRecord(manifestKind, record)
}

/** A disagreement, what it is said with, and the records that have it. */
export const plants: readonly (readonly [FaultKind, RegExp, readonly EngineEntry[]])[] = (
  [
    [
      'record',
      /^keys of space 99 are unknown/,
      [...entries, { key: Uint8Array.of(0x99), value: Uint8Array.of() }],
    ],
    [
      'record',
      /^buckets, key 10/,
      [...entries, { key: Uint8Array.of(0x10, 0x78), value: Uint8Array.of(0xff) }],
    ],
    [
      'owner-index',
      /bucket bucket: it is not among the buckets of its owner/,
      without(has(ownedBucketKey(OWNER, BUCKET))),
    ],
    ['owner-index', /bucket bucket: .* should own it, and it is not there/, without(inSpace(0x10))],
    [
      'no-bucket',
      /elsewhere\/x: it is an object of a bucket that is not there/,
      [...entries, { key: objectKey('elsewhere', 'x'), value: object('x', { bucket: 'elsewhere' }) }],
    ],
    [
      'record',
      /bucket\/x: .* in the place of another/,
      [...entries, { key: objectKey(BUCKET, 'x'), value: object('y') }],
    ],
    [
      'record',
      /bucket\/x: a record of it: /,
      [...entries, { key: objectKey(BUCKET, 'x'), value: Uint8Array.of(0xff) }],
    ],
    [
      'versions',
      /bucket\/x: a delete marker is the current object/,
      [...entries, { key: objectKey(BUCKET, 'x'), value: object('x', { deleteMarker: true }) }],
    ],
    ['versions', /bucket\/k: its newest version is an object/, without(has(objectKey(BUCKET, 'k')))],
    [
      'versions',
      /bucket\/k: its current object is older/,
      [
        ...entries,
        { key: versionKey(BUCKET, 'k', 999_999n), value: object('k', { order: 999_999n, versioned: true }) },
      ],
    ],
    [
      'versions',
      /bucket\/k: version .* lies in two places/,
      [
        ...without(has(objectKey(BUCKET, 'k'))),
        current,
        { key: versionKey(BUCKET, 'k', 0n), value: current.value },
      ],
    ],
    ['null-version', /bucket\/k: nothing leads to its null version/, without(inSpace(0x27))],
    [
      'null-version',
      /bucket\/new: its pointer leads to a null version of order 7/,
      [...entries, { key: nullVersionKey(BUCKET, 'new'), value: nullVersionValue(7n) }],
    ],
    ['annotations', /bucket\/k: version .* should have 1 annotations, and has 0/, without(inSpace(0x28))],
    [
      'annotations',
      /annotations of version .* are not to be purged/,
      [
        ...entries,
        {
          key: annotationKey({ bucket: BUCKET, key: 'k', version: newId() }, 'n'),
          value: encodeRecord(annotationKind, create(AnnotationRecordSchema, { name: 'n' })),
        },
      ],
    ],
    [
      'manifest',
      /bucket\/whole: version .*: it should have 1 manifest pages, and has 0/,
      without(inSpace(0x21)),
    ],
    [
      'manifest',
      /bucket\/k: page 0 belongs to version .*, which is not there/,
      [...entries, { key: manifestPageKey(BUCKET, 'k', newId(), 0), value: page.value }],
    ],
    [
      'live-garbage',
      /bucket\/x: its blob .* is to be removed as garbage/,
      [
        ...entries,
        { key: objectKey(BUCKET, 'x'), value: object('x', { blob, size: 1n }) },
        { key: outboxKey(9, 'garbage', 1), value: encodeRecord(outboxKind, garbageTask) },
      ],
    ],
    [
      'owner-index',
      /bucket bucket: it is of .*, and among the buckets of somebody/,
      [...entries, { key: ownedBucketKey('somebody', BUCKET), value: new Uint8Array() }],
    ],
    [
      'record',
      /bucket bucket: its record lies in the place of another/,
      [...entries, { key: bucketKey('bucket-2'), value: found(has(bucketKey(BUCKET))).value }],
    ],
    [
      'no-bucket',
      /bucket nowhere: there are settings of it, and it is not there/,
      [...entries, { key: bucketSettingKey('nowhere', 2), value: tagging }],
    ],
    [
      'record',
      /bucket bucket: its tagging lies in the place of another setting/,
      [...entries, { key: bucketSettingKey(BUCKET, 3), value: tagging }],
    ],
    [
      'no-bucket',
      /nowhere\/x: it is an upload of a bucket that is not there/,
      [...entries, { key: uploadKey(elsewhere), value: uploadOf(elsewhere) }],
    ],
    [
      'record',
      /bucket\/y: upload .* lies in the place of another/,
      [...entries, { key: uploadKey({ ...inProgress, key: 'y' }), value: uploadOf(inProgress) }],
    ],
    ['upload', /bucket\/in-progress: 1 parts are there of upload .*, which is not/, without(inSpace(0x22))],
    [
      'upload',
      /bucket\/in-progress: upload .* is in progress, and its parts are to be removed/,
      [...entries, { key: uploadPurgeKey(inProgress), value: Uint8Array.of(1) }],
    ],
    [
      'record',
      /bucket\/in-progress: part 1 of upload .* is of .* bytes, its blob is not/,
      [...without(inSpace(0x23)), { key: part.key, value: changedPart({ size: 77n }) }],
    ],
    [
      'record',
      /bucket\/in-progress: part 2 of upload .* lies in the place of another/,
      [...without(inSpace(0x23)), { key: part.key, value: changedPart({ partNumber: 2 }) }],
    ],
    [
      'live-garbage',
      /bucket\/in-progress: the blob .* of part 1 of upload .* waits to be removed/,
      [...entries, { key: outboxKey(1, 'garbage', 900), value: taskOf(900, partRecord.blob) }],
    ],
    [
      'record',
      /bucket\/x: version .* is of 9 bytes, its blob of none/,
      [...entries, { key: objectKey(BUCKET, 'x'), value: object('x', { size: 9n }) }],
    ],
    [
      'record',
      /bucket\/x: version .* has a blob of its own and a manifest/,
      [
        ...entries,
        {
          key: objectKey(BUCKET, 'x'),
          value: object('x', { blob, manifest: { partCount: 0, pageOffsets: [] } }),
        },
      ],
    ],
    [
      'manifest',
      /bucket\/whole: version .*: its parts are of .* bytes together, not of/,
      [...without(inSpace(0x21)), { key: page.key, value: changedPage() }],
    ],
    [
      'null-version',
      /bucket\/k: it has 2 null versions/,
      [...entries, { key: versionKey(BUCKET, 'k', 1n), value: object('k', { order: 1n }) }],
    ],
    [
      'purge',
      /bucket\/k: version .* is there, and its annotations are to be removed/,
      [
        ...entries,
        { key: annotationPurgeKey(decodeRecord(objectKind, current.value)), value: new Uint8Array() },
      ],
    ],
    [
      'purge',
      /bucket gone: its uploads are to be aborted by partition 77/,
      [...entries, { key: bucketPurgeKey('gone', 77), value: new Uint8Array() }],
    ],
    [
      'outbox',
      /partition 77: tasks wait in its outbox, which no partition has/,
      [...entries, { key: outboxKey(77, 'repair', 1), value: repairTask }],
    ],
    [
      'outbox',
      /partition 1: the task 5 lies in the place of task 3/,
      [...entries, { key: outboxKey(1, 'garbage', 3), value: taskOf(5, blob) }],
    ],
    [
      'outbox',
      /partition 1: the task 5 lies in the place of task 5/,
      [...entries, { key: outboxKey(1, 'repair', 5), value: taskOf(5, blob) }],
    ],
    [
      'sequence',
      /partition 1: a task has the number \d+, and those from 0 on/,
      without(has(outboxReserveKey(1))),
    ],
    ['sequence', /a version has the order \d+, and partition 1 may give/, without(has(orderReserveKey(1)))],
  ] as const
).map(([kind, message, changed]) => {
  return [kind, message, [...new Map(changed.map((entry) => [entry.key.join(), entry])).values()]]
})
