import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import { listModel, type ListRequest } from './metadata-model.ts'
import { BUCKET, createBucket, put, startUpload } from './metadata-requests.ts'

// Few characters, so that keys share prefixes; the last two sort the other way round in UTF-16.
const text = (maxLength: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '/', '/', '\0', 'é', '\uffee', '\u{1F600}'), maxLength })

const request = fc.record({
  prefix: text(3),
  delimiter: fc.oneof(fc.constantFrom('', '/', '/'), text(2)),
  after: text(5),
  limit: fc.constantFrom(0, 1, 2, 3, 7, 1000),
})

async function list(api: MetadataApi, bucket: string, wanted: ListRequest) {
  const { objects, commonPrefixes, truncated, nextAfter } = await api.call('listObjects', {
    bucket,
    ...wanted,
  })
  return { keys: objects.map(({ key }) => key), commonPrefixes, truncated, nextAfter }
}

export const listingCases: readonly Case[] = [
  [
    'listings agree with the model, for any keys, prefix, delimiter, start and limit',
    async (api) => {
      let count = 0
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(
            fc.oneof(
              text(6).filter((key) => key !== ''),
              text(2).map((key) => `a/${key}`),
            ),
            { maxLength: 30 },
          ),
          fc.array(request, { minLength: 1, maxLength: 12 }),
          async (keys, requests) => {
            const bucket = `list-${count++}`
            await api.call('createBucket', { bucket: { name: bucket, owner: 'o' }, limitPerOwner: 0 })
            await Promise.all(keys.map((key) => put(api, key, { bucket })))
            for (const wanted of requests) {
              assert.deepEqual(await list(api, bucket, wanted), listModel(keys, wanted))
            }
          },
        ),
        { numRuns: 60 },
      )
    },
  ],
  [
    'pages put together are the whole listing, each thing once',
    async (api) => {
      await createBucket(api)
      const keys = Array.from(
        { length: 90 },
        (_, index) => `${'xyz'.charAt(index % 3)}/${index % 7}/${index}`,
      )
      await Promise.all(keys.map((key) => put(api, key)))
      for (const [prefix, delimiter] of [
        ['', ''],
        ['', '/'],
        ['y/', '/'],
        ['x/3', ''],
      ] as const) {
        for (const limit of [1, 4, 50]) {
          const whole = listModel(keys, { prefix, delimiter, after: '', limit: 1000 })
          const together = { keys: [] as string[], commonPrefixes: [] as string[] }
          let after = ''
          for (let more = true; more;) {
            const page = await list(api, BUCKET, { prefix, delimiter, after, limit })
            assert.ok(page.keys.length + page.commonPrefixes.length <= limit)
            together.keys.push(...page.keys)
            together.commonPrefixes.push(...page.commonPrefixes)
            more = page.truncated
            after = page.nextAfter
          }
          assert.deepEqual(together, { keys: whole.keys, commonPrefixes: whole.commonPrefixes })
        }
      }
    },
  ],
  [
    'a listing shows what the object has',
    async (api) => {
      await createBucket(api)
      const checksums = [{ algorithm: 'SHA256', value: 'x', type: 'COMPOSITE' }]
      const headers = { contentType: 'a/b', user: { size: '99' } }
      const object = await put(api, 'k', { size: 2n ** 40n, checksums, headers, storageClass: 'COLD' })
      const { objects } = await api.call('listObjects', { bucket: BUCKET, limit: 5 })
      const { $typeName: _, ...shown } = objects[0] ?? {}
      assert.deepEqual(shown, {
        key: 'k',
        size: 2n ** 40n,
        etag: object.etag,
        lastModifiedMs: object.lastModifiedMs,
        storageClass: 'COLD',
        owner: object.owner,
        checksumAlgorithms: ['SHA256'],
        checksumType: 'COMPOSITE',
      })
    },
  ],
  [
    'uploads are listed by key, then by age, with both markers and common prefixes',
    async (api) => {
      await createBucket(api)
      const id = (n: number) => n.toString(16).padStart(32, '0')
      const places: [string, number][] = [
        ['a', 1],
        ['a', 2],
        ['a', 3],
        ['b/1', 4],
        ['b/2', 5],
        ['c', 6],
        ['\uffee', 7],
        ['\u{1F600}', 8],
      ]
      for (const [key, n] of places.toReversed()) await startUpload(api, key, id(n))
      const uploads = async (more: object) => {
        const reply = await api.call('listUploads', { bucket: BUCKET, limit: 100, ...more })
        return {
          uploads: reply.uploads.map(({ uploadId }) => Number.parseInt(uploadId, 16)),
          prefixes: reply.commonPrefixes,
          next: reply.truncated ? [reply.nextKeyMarker, reply.nextUploadIdMarker] : undefined,
        }
      }
      const all = { uploads: [1, 2, 3, 4, 5, 6, 7, 8], prefixes: [], next: undefined }
      assert.deepEqual(await uploads({}), all)
      assert.deepEqual(await uploads({ uploadIdMarker: id(4) }), all)
      assert.deepEqual(await uploads({ limit: 2 }), { uploads: [1, 2], prefixes: [], next: ['a', id(2)] })
      assert.deepEqual((await uploads({ keyMarker: 'a', uploadIdMarker: id(2), limit: 2 })).uploads, [3, 4])
      assert.deepEqual((await uploads({ keyMarker: 'a' })).uploads, [4, 5, 6, 7, 8])
      assert.deepEqual((await uploads({ prefix: 'b/' })).uploads, [4, 5])
      assert.deepEqual(await uploads({ delimiter: '/', limit: 4 }), {
        uploads: [1, 2, 3],
        prefixes: ['b/'],
        next: ['b/', ''],
      })
      const rest = await uploads({ delimiter: '/', keyMarker: 'b/' })
      assert.deepEqual(rest, { uploads: [6, 7, 8], prefixes: [], next: undefined })
    },
  ],
]
