import assert from 'node:assert/strict'
import { create, equals } from '@bufbuild/protobuf'
import { FailureCode, OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BlobRecord,
  BlobRecordSchema,
  BucketVersioning,
  ObjectRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { versionIdOf } from '../../core/records/version-id.ts'
import { annotate } from './metadata-api-annotations.ts'
import { LIVE, placeOf, resolve, states, YOUNG } from './metadata-api-blobs.ts'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  getVersion,
  newId,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from './metadata-requests.ts'

type Place = ReturnType<typeof placeOf>

const NODE = { shard: 1, firstStripe: 0, stripeCount: 2, node: 'elsewhere' }

/** The same blob, with shards elsewhere. */
const moved = (blob: BlobRecord | undefined): BlobRecord => {
  const { $typeName: _, ...fields } = blob ?? assert.fail()
  return create(BlobRecordSchema, { ...fields, relocations: [NODE] })
}

/** Another blob with the same bytes, of another code. */
const recoded = (blob: BlobRecord | undefined): BlobRecord =>
  create(BlobRecordSchema, { id: newId(), size: blob?.size ?? 0n, code: 'replica-3', group: 131_072 })

async function replace(
  api: MetadataApi,
  place: Place,
  expected: BlobRecord | undefined,
  replacement: BlobRecord,
): Promise<boolean> {
  assert.ok(expected !== undefined)
  const { replaced } = await api.call('replaceBlob', {
    place: { ...place, blob: expected.id },
    expected: create(BlobRecordSchema, expected),
    replacement,
  })
  return replaced
}

/** Both kinds of replacement, at one place that names `blob`; what is lost is what is garbage then. */
async function replaceTwice(
  api: MetadataApi,
  place: Place,
  blob: BlobRecord | undefined,
): Promise<BlobRecord> {
  const before = await garbage(api)
  const away = moved(blob)
  assert.equal(await replace(api, place, blob, away), true)
  assert.deepEqual(await garbage(api), before)
  const [first] = await resolve(api, [place])
  assert.ok(first?.blob !== undefined && equals(BlobRecordSchema, first.blob, away))
  const other = recoded(blob)
  assert.equal(await replace(api, place, blob, other), false, 'it is not what was expected any more')
  assert.equal(await replace(api, place, away, other), true)
  assert.deepEqual(await garbage(api), [...before, away.id].sort())
  assert.deepEqual(await states(api, [place, { ...place, blob: other.id }]), [YOUNG, LIVE])
  assert.equal(await replace(api, place, away, other), true, 'again, since the answer was lost')
  assert.deepEqual(await garbage(api), [...before, away.id].sort())
  return other
}

export const replaceBlobCases: readonly Case[] = [
  [
    'the blob of an object is replaced, and nothing else of it',
    async (api) => {
      await createBucket(api)
      const object = await put(api, 'k', { headers: { user: { a: 'b' } } })
      const other = await replaceTwice(api, placeOf('k', object.version, object.blob), object.blob)
      const now = await get(api, 'k')
      assert.ok(now !== undefined)
      const { $typeName: _, ...fields } = object
      assert.ok(equals(ObjectRecordSchema, now, create(ObjectRecordSchema, { ...fields, blob: other })))
    },
  ],
  [
    'so is that of another version, and of the null version under others',
    async (api) => {
      await createBucket(api)
      const oldest = await put(api, 'k')
      await setVersioning(api, BucketVersioning.ENABLED)
      const middle = await put(api, 'k')
      await put(api, 'k')
      await remove(api, 'k')
      for (const object of [oldest, middle]) {
        const other = await replaceTwice(api, placeOf('k', object.version, object.blob), object.blob)
        assert.equal((await getVersion(api, 'k', versionIdOf(object)))?.blob?.id, other.id)
        assert.equal((await getVersion(api, 'k', versionIdOf(object)))?.etag, object.etag)
      }
      const { versions } = await api.call('listVersions', { bucket: BUCKET, limit: 10 })
      assert.deepEqual(versions.map(({ versionId }) => versionId).slice(2), [middle, oldest].map(versionIdOf))
    },
  ],
  [
    'so is that of a part, before and after its upload is complete',
    async (api) => {
      await createBucket(api)
      const upload = await startUpload(api, 'k')
      const parts = await Promise.all([1, 2, 7].map((number) => putPart(api, 'k', upload, number)))
      const [, second, last] = parts
      await replaceTwice(api, placeOf('k', upload, second?.blob, { part: 2 }), second?.blob)
      const listed = await api.call('listParts', { bucket: BUCKET, key: 'k', uploadId: upload, limit: 10 })
      assert.deepEqual(
        listed.parts.map(({ etag, lastModifiedMs }) => [etag, lastModifiedMs]),
        parts.map(({ etag, lastModifiedMs }) => [etag, lastModifiedMs]),
      )
      const object = await complete(api, 'k', upload, parts)
      const other = await replaceTwice(api, placeOf('k', upload, last?.blob, { part: 7 }), last?.blob)
      const { pages } = await api.call('getManifest', {
        bucket: BUCKET,
        key: 'k',
        version: object.version,
        pageCount: 1,
      })
      assert.deepEqual(
        pages[0]?.parts.map(({ partNumber, etag }) => [partNumber, etag]),
        parts.map(({ partNumber, etag }) => [partNumber, etag]),
      )
      assert.equal(pages[0]?.parts[2]?.blob?.id, other.id)
      const before = await garbage(api)
      await remove(api, 'k')
      const gone = pages[0]?.parts.map(({ blob }) => blob?.id ?? '') ?? []
      assert.deepEqual(await garbage(api), [...before, ...gone].sort())
    },
  ],
  [
    'so is that of an annotation',
    async (api) => {
      await createBucket(api)
      const { version } = await put(api, 'k')
      const { blob, etag } = await annotate(api, 'k', 'n')
      const other = await replaceTwice(api, placeOf('k', version, blob, { annotation: 'n' }), blob)
      const reply = await api.call('getAnnotation', { bucket: BUCKET, key: 'k', name: 'n' })
      assert.deepEqual([reply.annotation?.blob?.id, reply.annotation?.etag], [other.id, etag])
    },
  ],
  [
    'where another blob was written degraded, its repair is queued with the replacement, once',
    async (api) => {
      await createBucket(api)
      const upload = await startUpload(api, 'k')
      const { blob } = await putPart(api, 'k', upload, 3)
      const place = placeOf('k', upload, blob, { part: 3 })
      const { $typeName: _, ...fields } = recoded(blob)
      const other = create(BlobRecordSchema, { ...fields, relocations: [{ ...NODE, node: '' }] })
      for (let again = 0; again < 2; again++) assert.equal(await replace(api, place, blob, other), true)
      const { records } = await api.call('readOutbox', { limit: 10, kind: OutboxKind.REPAIR })
      const [queued] = records
      assert.ok(records.length === 1 && queued?.task.case === 'repair')
      const { key, version, part, blob: owed } = queued.task.value
      assert.deepEqual([key, version, part], ['k', upload, 3])
      assert.ok(owed !== undefined && equals(BlobRecordSchema, owed, other))
    },
  ],
  [
    'where the record is another by now, or gone, nothing is replaced',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const place = placeOf('k', version, blob)
      const group = { ...create(BlobRecordSchema, blob), group: 65_540 }
      assert.equal(await replace(api, place, group, recoded(blob)), false)
      await put(api, 'k')
      assert.equal(await replace(api, place, blob, moved(blob)), false)
      await remove(api, 'k')
      assert.equal(await replace(api, place, blob, recoded(blob)), false)
      assert.equal(await replace(api, { ...place, bucket: 'another' }, blob, recoded(blob)), false)
      assert.equal((await garbage(api)).length, 2)
      assert.equal(await get(api, 'k'), undefined)
    },
  ],
  [
    'only what has the same bytes is a replacement',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const place = placeOf('k', version, blob)
      const { INVALID_REQUEST } = FailureCode
      for (const more of [{ size: 6n }, { id: 'x' }]) {
        const wrong = create(BlobRecordSchema, { ...recoded(blob), ...more })
        await failsWith(replace(api, place, blob, wrong), INVALID_REQUEST)
      }
      for (const more of [{ code: 'replica-3' }, { group: 65_537 }]) {
        const wrong = create(BlobRecordSchema, { ...moved(blob), ...more })
        await failsWith(replace(api, place, blob, wrong), INVALID_REQUEST)
      }
      await failsWith(api.call('replaceBlob', { place }), INVALID_REQUEST)
      const elsewhere = { place: { ...place, blob: newId() } }
      const rest = { expected: create(BlobRecordSchema, blob), replacement: recoded(blob) }
      await failsWith(api.call('replaceBlob', { ...elsewhere, ...rest }), INVALID_REQUEST)
    },
  ],
  [
    'of many who replace the same, one does, and all others are garbage’s business no more than it',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const others = Array.from({ length: 16 }, () => recoded(blob))
      const outcomes = await Promise.all(
        others.map((other) => replace(api, placeOf('k', version, blob), blob, other)),
      )
      assert.equal(outcomes.filter((replaced) => replaced).length, 1)
      assert.equal((await get(api, 'k'))?.blob?.id, others[outcomes.indexOf(true)]?.id)
      assert.deepEqual(await garbage(api), [blob?.id])
    },
  ],
  [
    'a replacement and the completion of its upload are done one after the other',
    async (api) => {
      await createBucket(api)
      for (let round = 0; round < 8; round++) {
        const key = `k${round}`
        const upload = await startUpload(api, key)
        const part = await putPart(api, key, upload, 1)
        const other = recoded(part.blob)
        const place = placeOf(key, upload, part.blob, { part: 1 })
        const [replaced] = await Promise.all([
          replace(api, place, part.blob, other),
          complete(api, key, upload, [part]),
        ])
        assert.equal(replaced, true)
        assert.deepEqual(await states(api, [place, { ...place, blob: other.id }]), [YOUNG, LIVE])
      }
      assert.equal((await garbage(api)).length, 8)
    },
  ],
]
