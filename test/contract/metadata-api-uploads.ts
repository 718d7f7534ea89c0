import assert from 'node:assert/strict'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
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

const { NO_SUCH_UPLOAD, INVALID_PART, INVALID_REQUEST, ENTITY_TOO_SMALL, PRECONDITION_FAILED } = FailureCode

function idOf(part: PartRecord | undefined): string {
  return part?.blob?.id ?? ''
}

export const uploadCases: readonly Case[] = [
  [
    'parts become an object: sizes, pages and offsets fit, and the upload is gone',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const parts: PartRecord[] = []
      for (let number = 1; number <= 600; number += 50) {
        const some = Array.from({ length: 50 }, (_, index) =>
          putPart(api, 'k', uploadId, number + index, 10 + index),
        )
        parts.push(...(await Promise.all(some)))
      }
      const object = await complete(api, 'k', uploadId, parts)
      const size = parts.reduce((sum, part) => sum + part.size, 0n)
      assert.equal(object.size, size)
      assert.equal(object.version, uploadId)
      assert.equal(object.manifest?.partCount, 600)
      assert.equal(object.manifest.pageOffsets.length, 3)
      const { pages } = await api.call('getManifest', {
        bucket: BUCKET,
        key: 'k',
        version: uploadId,
        firstPage: 0,
        pageCount: 3,
      })
      let offset = 0n
      for (const [index, page] of pages.entries()) {
        assert.equal(object.manifest.pageOffsets[index], offset)
        for (const part of page.parts) offset += part.size
      }
      assert.deepEqual(
        pages.flatMap((page) => page.parts.map(idOf)),
        parts.map(idOf),
      )
      const place = { bucket: BUCKET, key: 'k', uploadId }
      await failsWith(api.call('getUpload', place), NO_SUCH_UPLOAD)
      await failsWith(api.call('listParts', { ...place, limit: 1 }), NO_SUCH_UPLOAD)
      await failsWith(api.call('abortUpload', place), NO_SUCH_UPLOAD)
      await failsWith(putPart(api, 'k', uploadId, 1), NO_SUCH_UPLOAD)
      assert.deepEqual((await api.call('listUploads', { bucket: BUCKET, limit: 1 })).uploads, [])
      assert.deepEqual(await garbage(api), [])
      assert.equal((await get(api, 'k'))?.size, size)
    },
  ],
  [
    'parts that are replaced or not named become garbage, the named ones never',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const replaced = await putPart(api, 'k', uploadId, 2)
      const parts = [
        await putPart(api, 'k', uploadId, 1),
        await putPart(api, 'k', uploadId, 2),
        await putPart(api, 'k', uploadId, 9),
      ]
      const unused = await putPart(api, 'k', uploadId, 4)
      await complete(api, 'k', uploadId, parts)
      assert.deepEqual(await garbage(api), [idOf(replaced), idOf(unused)].sort())
    },
  ],
  [
    'a complete that was answered is answered the same again; a different one is not',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const parts = [await putPart(api, 'k', uploadId, 1), await putPart(api, 'k', uploadId, 2)]
      const first = await complete(api, 'k', uploadId, parts, {
        conditions: { ifNoneMatchAny: true },
      })
      const again = await complete(api, 'k', uploadId, parts, {
        conditions: { ifNoneMatchAny: true },
      })
      assert.deepEqual([again.version, again.lastModifiedMs], [first.version, first.lastModifiedMs])
      await failsWith(complete(api, 'k', uploadId, parts, { etag: 'other' }), NO_SUCH_UPLOAD)
      assert.deepEqual(await garbage(api), [])
      await put(api, 'k')
      await failsWith(complete(api, 'k', uploadId, parts), NO_SUCH_UPLOAD)
    },
  ],
  [
    'a complete is refused, with what is wrong, and changes nothing',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const [one, two] = [await putPart(api, 'k', uploadId, 1, 3), await putPart(api, 'k', uploadId, 2, 3)]
      const many = (parts: object[]) => complete(api, 'k', uploadId, [], { parts, partBytesMin: 5n })
      await failsWith(many([]), INVALID_REQUEST)
      await failsWith(many([two, one]), INVALID_REQUEST)
      await failsWith(many([{ partNumber: 1, etag: 'x' }]), INVALID_PART, { PartNumber: '1', ETag: 'x' })
      await failsWith(many([{ partNumber: 3, etag: 'x' }]), INVALID_PART, { PartNumber: '3', ETag: 'x' })
      const checksums = [{ algorithm: 'CRC32', value: 'wrong' }]
      await failsWith(many([{ ...one, checksums }]), INVALID_PART)
      await failsWith(many([one, two]), ENTITY_TOO_SMALL, {
        PartNumber: '1',
        ETag: one.etag,
        ProposedSize: '3',
        MinSizeAllowed: '5',
      })
      assert.equal(await get(api, 'k'), undefined)
      await put(api, 'k')
      const conditions = { ifNoneMatchAny: true }
      await failsWith(complete(api, 'k', uploadId, [two], { conditions }), PRECONDITION_FAILED)
      assert.deepEqual(await garbage(api), [])
      await complete(api, 'k', uploadId, [two])
      await failsWith(complete(api, 'k', '0'.repeat(32), [two]), NO_SUCH_UPLOAD)
    },
  ],
  [
    'an object of many parts leaves all its blobs as garbage, and stays readable until that is acknowledged',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const parts = await Promise.all(
        Array.from({ length: 300 }, (_, index) => putPart(api, 'k', uploadId, index + 1)),
      )
      await complete(api, 'k', uploadId, parts)
      const after = await put(api, 'k')
      assert.deepEqual(await garbage(api), parts.map(idOf).sort())
      const pages = () =>
        api.call('getManifest', { bucket: BUCKET, key: 'k', version: uploadId, firstPage: 0, pageCount: 2 })
      assert.equal((await pages()).pages.length, 2)
      const { records } = await api.call('readOutbox', { limit: 100 })
      await api.call('acknowledgeOutbox', { sequences: records.map(({ sequence }) => sequence) })
      await failsWith(pages(), FailureCode.NO_SUCH_KEY)
      assert.equal((await get(api, 'k'))?.version, after.version)
      assert.equal((await api.call('getCluster', {})).outboxBacklog, 0n)
    },
  ],
  [
    'an aborted upload is gone at once, and its parts become garbage',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      const parts = await Promise.all(
        Array.from({ length: 120 }, (_, index) => putPart(api, 'k', uploadId, index + 1)),
      )
      const place = { bucket: BUCKET, key: 'k', uploadId }
      await api.call('abortUpload', place)
      await failsWith(api.call('abortUpload', place), NO_SUCH_UPLOAD)
      await failsWith(putPart(api, 'k', uploadId, 1), NO_SUCH_UPLOAD)
      await failsWith(complete(api, 'k', uploadId, parts), NO_SUCH_UPLOAD)
      await until(async () => (await garbage(api)).length >= parts.length)
      assert.deepEqual(await garbage(api), parts.map(idOf).sort())
    },
  ],
  [
    'parts put, the upload completed and aborted at once: no blob of the object is ever garbage, and none is lost',
    async (api) => {
      await createBucket(api)
      for (let round = 0; round < 15; round++) {
        const key = `race-${round}`
        const uploadId = await startUpload(api, key)
        const first = await putPart(api, key, uploadId, 1)
        const second = await putPart(api, key, uploadId, 2)
        const [replaced, completed, aborted] = await Promise.allSettled([
          putPart(api, key, uploadId, 2),
          complete(api, key, uploadId, [first, second]),
          round % 3 === 0
            ? api.call('abortUpload', { bucket: BUCKET, key, uploadId })
            : Promise.reject(new Error('not in this round')),
        ])
        assert.ok(completed.status === 'rejected' || aborted.status === 'rejected')
        const committed = [first, second, ...(replaced.status === 'fulfilled' ? [replaced.value] : [])].map(
          idOf,
        )
        if (completed.status === 'fulfilled') {
          const { pages } = await api.call('getManifest', {
            bucket: BUCKET,
            key,
            version: uploadId,
            firstPage: 0,
            pageCount: 1,
          })
          const used = pages.flatMap((page) => page.parts.map(idOf))
          const unused = committed.filter((blob) => !used.includes(blob))
          const trash = new Set(await garbage(api))
          assert.ok(used.every((blob) => !trash.has(blob)))
          assert.ok(unused.every((blob) => trash.has(blob)))
        } else if (aborted.status === 'fulfilled') {
          await until(async () => {
            const trash = new Set(await garbage(api))
            return committed.every((blob) => trash.has(blob))
          })
        }
      }
    },
  ],
  [
    'parts are listed in order, in pages; creating the same upload again is no error',
    async (api) => {
      await createBucket(api)
      const uploadId = await startUpload(api, 'k')
      await startUpload(api, 'k', uploadId)
      for (const number of [10_000, 3, 1, 256, 2]) await putPart(api, 'k', uploadId, number)
      const place = { bucket: BUCKET, key: 'k', uploadId }
      const list = async (more: object) => {
        const { parts, truncated } = await api.call('listParts', { ...place, limit: 100, ...more })
        return [parts.map(({ partNumber }) => partNumber), truncated]
      }
      assert.deepEqual(await list({}), [[1, 2, 3, 256, 10_000], false])
      assert.deepEqual(await list({ limit: 2 }), [[1, 2], true])
      assert.deepEqual(await list({ after: 3, limit: 2 }), [[256, 10_000], false])
      assert.deepEqual(await list({ after: 10_000 }), [[], false])
      assert.deepEqual(await list({ limit: 0 }), [[], false])
      await failsWith(putPart(api, 'k', uploadId, 0), INVALID_REQUEST)
      await failsWith(putPart(api, 'k', uploadId, 10_001), INVALID_REQUEST)
      assert.equal((await api.call('getUpload', place)).upload?.uploadId, uploadId)
    },
  ],
]
