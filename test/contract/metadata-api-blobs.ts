import assert from 'node:assert/strict'
import { BLOB_PLACES_MAX } from '../../core/limits.ts'
import { BlobState, FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type BlobRecord, BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi, MetadataRequestInit } from '../../proto/metadata-api.ts'
import { annotate } from './metadata-api-annotations.ts'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  identifierOf,
  newId,
  objectInit,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from './metadata-requests.ts'

const HOUR = 60 * 60 * 1000
export const { LIVE, YOUNG, ORPHAN } = BlobState

/** A place in the tests' bucket, as shards name it. */
export function placeOf(
  key: string,
  version: string,
  blob: Pick<BlobRecord, 'id'> | undefined,
  more: { readonly part?: number; readonly annotation?: string; readonly bucket?: string } = {},
) {
  return { bucket: BUCKET, key, version, blob: blob?.id ?? '', ...more }
}

export async function resolve(api: MetadataApi, places: readonly ReturnType<typeof placeOf>[]) {
  const { blobs } = await api.call('resolveBlobs', { places: [...places] })
  assert.equal(blobs.length, places.length)
  for (const { state, blob } of blobs) assert.equal(state === LIVE, blob !== undefined)
  return blobs
}

export async function states(
  api: MetadataApi,
  places: readonly ReturnType<typeof placeOf>[],
): Promise<BlobState[]> {
  return (await resolve(api, places)).map(({ state }) => state)
}

/** Of a day ago and a bit. */
const oldId = (count: number) => identifierOf(Date.now() - 25 * HOUR, count)

export const blobCases: readonly Case[] = [
  [
    'a blob is live where a record names it, as the record has it, and nowhere else',
    async (api) => {
      await createBucket(api)
      const relocations = [{ shard: 2, firstStripe: 0, stripeCount: 1, node: 'n' }]
      const made = { id: newId(), size: 5n, code: 'rs-4-2', group: 65_536, relocations }
      const { version, blob } = await put(api, 'k', { blob: made, storageClass: 'GLACIER_IR' })
      const elsewhere = [
        placeOf('other', version, blob),
        placeOf('k', newId(), blob),
        placeOf('k', version, blob, { part: 1 }),
        placeOf('k', version, blob, { annotation: 'a' }),
        placeOf('k', version, blob, { bucket: 'another' }),
        placeOf('k', version, { id: newId() }),
      ]
      const [live, ...others] = await resolve(api, [placeOf('k', version, blob), ...elsewhere])
      assert.equal(live?.state, LIVE)
      assert.equal(live.storageClass, 'GLACIER_IR')
      assert.deepEqual(live.blob, blob)
      assert.equal(live.blob?.relocations[0]?.node, 'n')
      assert.deepEqual(
        others.map(({ state }) => state),
        elsewhere.map(() => YOUNG),
      )
    },
  ],
  [
    'what no record names is an orphan from a day on, in a bucket or where there is none',
    async (api) => {
      await createBucket(api)
      const places = [1, 2, 3].map((count) => placeOf('k', newId(), { id: oldId(count) }))
      const gone = placeOf('k', newId(), { id: oldId(4) }, { bucket: 'never-there' })
      const almost = placeOf('k', newId(), { id: identifierOf(Date.now() - 23 * HOUR, 1) })
      const ahead = placeOf('k', newId(), { id: identifierOf(Date.now() + 48 * HOUR, 1) })
      assert.deepEqual(await states(api, [...places, gone, almost, ahead]), [
        ORPHAN,
        ORPHAN,
        ORPHAN,
        ORPHAN,
        YOUNG,
        YOUNG,
      ])
      assert.deepEqual(await states(api, []), [])
    },
  ],
  [
    'every version of a key is looked at, wherever it lies, and those that are gone are nobody’s',
    async (api) => {
      await createBucket(api)
      const first = await put(api, 'k')
      await setVersioning(api, BucketVersioning.ENABLED)
      const others = []
      for (let count = 0; count < 5; count++) others.push(await put(api, 'k'))
      await remove(api, 'k')
      const all = [first, ...others].map(({ version, blob }) => placeOf('k', version, blob))
      assert.deepEqual(
        await states(api, all),
        all.map(() => LIVE),
      )
      await remove(api, 'k', { versionId: 'null' })
      assert.deepEqual(await states(api, all), [YOUNG, LIVE, LIVE, LIVE, LIVE, LIVE])
      assert.deepEqual(await states(api, all.toReversed().slice(0, 2)), [LIVE, LIVE])
    },
  ],
  [
    'parts are live while their upload goes on, and on the manifest’s pages once it is complete',
    async (api) => {
      await createBucket(api)
      const upload = await startUpload(api, 'k', undefined, BUCKET, { storageClass: 'STANDARD_IA' })
      const numbers = [1, 2, 3, ...Array.from({ length: 600 }, (_, index) => 100 + index * 3), 9999]
      const parts = await Promise.all(numbers.map((number) => putPart(api, 'k', upload, number)))
      const places = parts.map(({ partNumber, blob }) => placeOf('k', upload, blob, { part: partNumber }))
      const some = [0, 1, 2, 3, 250, 255, 256, 257, 511, 512, 513, 602, 603].map(
        (at) => places[at] ?? assert.fail(),
      )
      for (const { state, storageClass } of await resolve(api, some)) {
        assert.deepEqual([state, storageClass], [LIVE, 'STANDARD_IA'])
      }
      const replaced = await putPart(api, 'k', upload, 2)
      assert.deepEqual(await states(api, some.slice(0, 2)), [LIVE, YOUNG])
      const listed = parts
        .map((part) => (part.partNumber === 2 ? replaced : part))
        .filter((_, at) => at !== 3)
      await complete(api, 'k', upload, listed)
      const after = await resolve(api, [
        ...some,
        placeOf('k', upload, replaced.blob, { part: 2 }),
        placeOf('k', upload, replaced.blob, { part: 3 }),
        placeOf('k', upload, replaced.blob),
        placeOf('k', upload, replaced.blob, { part: 10_000 }),
      ])
      assert.deepEqual(
        after.map(({ state }) => state),
        [LIVE, YOUNG, LIVE, YOUNG, ...some.slice(4).map(() => LIVE), LIVE, YOUNG, YOUNG, YOUNG],
      )
      assert.equal(after[4]?.storageClass, 'STANDARD_IA')
      assert.deepEqual(after[4]?.blob, parts[250]?.blob)
      await remove(api, 'k')
      assert.deepEqual(
        await states(api, some),
        some.map(() => YOUNG),
      )
    },
  ],
  [
    'parts of an upload that was aborted are nobody’s',
    async (api) => {
      await createBucket(api)
      const upload = await startUpload(api, 'k')
      const { blob } = await putPart(api, 'k', upload, 1)
      const place = placeOf('k', upload, blob, { part: 1 })
      assert.deepEqual(await states(api, [place]), [LIVE])
      await api.call('abortUpload', { bucket: BUCKET, key: 'k', uploadId: upload })
      assert.deepEqual(await states(api, [place]), [YOUNG])
    },
  ],
  [
    'annotations are live with the version they belong to',
    async (api) => {
      await createBucket(api)
      const { version } = await put(api, 'k')
      const { blob } = await annotate(api, 'k', 'a/é')
      const place = placeOf('k', version, blob, { annotation: 'a/é' })
      const wrong = placeOf('k', version, blob, { annotation: 'a' })
      const [live] = await resolve(api, [place])
      assert.deepEqual([live?.state, live?.storageClass], [LIVE, 'STANDARD'])
      assert.deepEqual(await states(api, [place, wrong]), [LIVE, YOUNG])
      await setVersioning(api, BucketVersioning.ENABLED)
      await put(api, 'k')
      assert.deepEqual(await states(api, [place]), [LIVE])
      await remove(api, 'k', { versionId: 'null' })
      assert.deepEqual(await states(api, [place]), [YOUNG])
    },
  ],
  [
    'a question that comes with a commit sees it or not; one that comes after its answer does',
    async (api) => {
      await createBucket(api)
      const objects = Array.from({ length: 64 }, (_, index) => objectInit(`k${index}`))
      const places = objects.map(({ key = '', version = '', blob }) =>
        placeOf(key, version, { id: blob?.id ?? '' }),
      )
      const [during] = await Promise.all([
        states(api, places),
        ...objects.map((object) => api.call('commitObject', { object })),
      ])
      assert.ok(during.every((state) => state === LIVE || state === YOUNG))
      assert.deepEqual(
        await states(api, places),
        places.map(() => LIVE),
      )
    },
  ],
  [
    'questions that make no sense are refused',
    async (api) => {
      await createBucket(api)
      const { INVALID_REQUEST } = FailureCode
      const many = Array.from({ length: BLOB_PLACES_MAX + 1 }, () => placeOf('k', newId(), { id: newId() }))
      await failsWith(api.call('resolveBlobs', { places: many }), INVALID_REQUEST)
      assert.equal((await states(api, many.slice(1))).length, BLOB_PLACES_MAX)
      await failsWith(
        api.call('resolveBlobs', { places: [placeOf('k', newId(), { id: 'x' })] }),
        INVALID_REQUEST,
      )
    },
  ],
  [
    'blobs that are too old, or ahead of the clock, are committed nowhere',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const upload = await startUpload(api, 'k')
      const now = Date.now()
      for (const time of [now - 12 * HOUR, now - 100 * HOUR, now + 2 * HOUR]) {
        const stale = { id: identifierOf(time, 1), size: 5n, code: 'rs-4-2', group: 65_536 }
        const annotation = { name: 'a', size: 5n, blob: stale }
        const object = { ...objectInit('k'), blob: stale } as ReturnType<typeof objectInit>
        const refused = [
          api.call('commitObject', { object }),
          api.call('commitPart', {
            bucket: BUCKET,
            key: 'k',
            uploadId: upload,
            part: { partNumber: 1, size: 5n, blob: stale },
          }),
          api.call('putAnnotation', { bucket: BUCKET, key: 'k', version, annotation }),
          api.call('replaceBlob', { place: placeOf('k', version, blob), expected: blob, replacement: stale }),
        ]
        for (const one of refused) await failsWith(one, FailureCode.STALE_BLOB)
      }
      const fine = { id: identifierOf(now - 11 * HOUR, 2), size: 5n, code: 'rs-4-2', group: 65_536 }
      const ahead = { ...fine, id: identifierOf(now + HOUR / 2, 3) }
      for (const one of [fine, ahead]) {
        await api.call('commitObject', {
          object: { ...objectInit('k'), blob: one } as ReturnType<typeof objectInit>,
        })
      }
      assert.deepEqual(await garbage(api), [blob?.id ?? '', fine.id].sort())
    },
  ],
  [
    'blobs of groups that the map does not have are committed nowhere',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const stray = { id: newId(), size: 5n, code: 'rs-4-2', group: 65_536 * 9 }
      const object = { ...objectInit('k'), blob: stray } as ReturnType<typeof objectInit>
      await failsWith(api.call('commitObject', { object }), FailureCode.STALE_BLOB)
      const replaced = api.call('replaceBlob', {
        place: placeOf('k', version, blob),
        ...(blob === undefined ? {} : { expected: blob }),
        replacement: stray,
      })
      await failsWith(replaced, FailureCode.STALE_BLOB)
      assert.equal((await get(api, 'k'))?.version, version)
    },
  ],
  [
    'what was called an orphan is refused for good',
    async (api) => {
      await createBucket(api)
      const id = oldId(9)
      assert.deepEqual(await states(api, [placeOf('k', newId(), { id })]), [ORPHAN])
      const object = { ...objectInit('k'), blob: { id, size: 5n, code: 'rs-4-2', group: 65_536 } }
      await failsWith(
        api.call('commitObject', { object } as MetadataRequestInit<'commitObject'>),
        FailureCode.STALE_BLOB,
      )
      assert.equal(await get(api, 'k'), undefined)
    },
  ],
]
