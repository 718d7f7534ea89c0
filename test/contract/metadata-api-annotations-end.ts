import assert from 'node:assert/strict'
import { versionIdOf } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import { annotate, blobOf, listAnnotations } from './metadata-api-annotations.ts'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  put,
  putPart,
  startUpload,
  until,
} from './metadata-requests.ts'

/** What becomes of annotations when their version does not stay what it was. */
export const annotationEndCases: readonly Case[] = [
  [
    'annotations go with an object that is overwritten, deleted or replaced by an upload, and only then',
    async (api) => {
      await createBucket(api)
      const gone: string[] = []
      const ends: ((key: string) => Promise<unknown>)[] = [
        (key) => put(api, key),
        (key) => api.call('deleteObject', { bucket: BUCKET, key }),
        async (key) => {
          const upload = await startUpload(api, key)
          return complete(api, key, upload, [await putPart(api, key, upload, 1)])
        },
      ]
      for (const [index, end] of ends.entries()) {
        const key = `k${index}`
        const object = await put(api, key)
        const beside = await put(api, `${key}.beside`)
        await annotate(api, `${key}.beside`, 'a')
        for (const one of ['a', 'b', 'c']) gone.push(blobOf(await annotate(api, key, one)))
        gone.push(object.blob?.id ?? '')
        await end(key)
        assert.equal((await get(api, key))?.annotationCount ?? 0, 0)
        if (await get(api, key)) assert.deepEqual((await listAnnotations(api, key)).names, [])
        assert.deepEqual((await listAnnotations(api, `${key}.beside`)).names, ['a'])
        assert.equal((await get(api, `${key}.beside`))?.version, beside.version)
      }
      await until(async () => (await garbage(api)).length >= gone.length)
      assert.deepEqual(await garbage(api), gone.sort())
    },
  ],
  [
    'more annotations than one batch of a purge takes become garbage, each once; a refused delete removes none',
    async (api) => {
      await createBucket(api)
      const object = await put(api, 'k')
      const all = await Promise.all(
        Array.from({ length: 130 }, (_, n) => annotate(api, 'k', `n${n}`, { limitPerObject: 1000 })),
      )
      const refused = api.call('deleteObject', { bucket: BUCKET, key: 'k', conditions: { ifMatch: ['x'] } })
      await failsWith(refused, FailureCode.PRECONDITION_FAILED)
      assert.equal((await listAnnotations(api, 'k', { limit: 1000 })).names.length, all.length)
      await api.call('deleteObject', { bucket: BUCKET, key: 'k' })
      const expected = [...all.map(blobOf), object.blob?.id ?? ''].sort()
      await until(async () => (await garbage(api)).length >= expected.length)
      assert.deepEqual(await garbage(api), expected)
    },
  ],
  [
    'annotations stay with their version, whatever is put above it, and go when it is removed for good',
    async (api) => {
      await createBucket(api)
      await api.call('updateBucket', { name: BUCKET, versioning: BucketVersioning.ENABLED })
      const first = await put(api, 'k')
      const old = await annotate(api, 'k', 'a')
      const second = await put(api, 'k')
      assert.deepEqual((await listAnnotations(api, 'k')).names, [])
      const recent = [await annotate(api, 'k', 'a'), await annotate(api, 'k', 'b')]
      const [firstId, secondId] = [versionIdOf(first), versionIdOf(second)]
      await api.call('deleteObject', { bucket: BUCKET, key: 'k', markerVersion: 'd'.repeat(32) })
      const { deleteMarker, versionId: markerId } = await currentMarker(api)
      assert.equal(deleteMarker, 'true')
      await failsWith(listAnnotations(api, 'k'), FailureCode.NO_SUCH_KEY)
      await failsWith(listAnnotations(api, 'k', { versionId: markerId }), FailureCode.METHOD_NOT_ALLOWED)
      assert.deepEqual((await listAnnotations(api, 'k', { versionId: firstId })).names, ['a'])
      assert.deepEqual((await listAnnotations(api, 'k', { versionId: secondId })).names, ['a', 'b'])
      const more = await annotate(api, 'k', 'c', { versionId: firstId, version: first.version })
      assert.deepEqual(await garbage(api), [])
      await api.call('deleteObject', { bucket: BUCKET, key: 'k', versionId: secondId })
      const gone = [second.blob?.id ?? '', ...recent.map(blobOf)]
      await until(async () => (await garbage(api)).length >= gone.length)
      assert.deepEqual(await garbage(api), gone.sort())
      assert.deepEqual(await listAnnotations(api, 'k', { versionId: firstId }), {
        names: ['a', 'c'],
        truncated: false,
        count: 2,
      })
      await api.call('deleteObject', { bucket: BUCKET, key: 'k', versionId: markerId })
      assert.deepEqual((await listAnnotations(api, 'k')).names, ['a', 'c'])
      await api.call('deleteObject', { bucket: BUCKET, key: 'k', versionId: firstId })
      const all = [...gone, first.blob?.id ?? '', blobOf(old), blobOf(more)]
      await until(async () => (await garbage(api)).length >= all.length)
      assert.deepEqual(await garbage(api), all.sort())
      await failsWith(listAnnotations(api, 'k', { versionId: firstId }), FailureCode.NO_SUCH_VERSION)
      await api.call('deleteBucket', { name: BUCKET })
    },
  ],
  [
    'annotations of the null version go when another null version replaces it, wherever it lies',
    async (api) => {
      await createBucket(api)
      const first = await put(api, 'k')
      const gone = [first.blob?.id ?? '', blobOf(await annotate(api, 'k', 'a'))]
      await api.call('updateBucket', { name: BUCKET, versioning: BucketVersioning.ENABLED })
      const versioned = await put(api, 'k')
      await annotate(api, 'k', 'kept')
      assert.deepEqual((await listAnnotations(api, 'k', { versionId: 'null' })).names, ['a'])
      await api.call('updateBucket', { name: BUCKET, versioning: BucketVersioning.SUSPENDED })
      await put(api, 'k')
      await until(async () => (await garbage(api)).length >= gone.length)
      assert.deepEqual(await garbage(api), gone.sort())
      assert.deepEqual((await listAnnotations(api, 'k')).names, [])
      assert.deepEqual((await listAnnotations(api, 'k', { versionId: versionIdOf(versioned) })).names, [
        'kept',
      ])
    },
  ],
]

/** What the refusal of a key says whose current version is a delete marker. */
async function currentMarker(api: MetadataApi): Promise<{ deleteMarker: string; versionId: string }> {
  const refusal: unknown = await api
    .call('getObject', { bucket: BUCKET, key: 'k' })
    .catch((thrown: unknown) => thrown)
  assert.ok(refusal instanceof MetadataError)
  return { deleteMarker: refusal.fields['DeleteMarker'] ?? '', versionId: refusal.fields['VersionId'] ?? '' }
}
