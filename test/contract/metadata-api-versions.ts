import assert from 'node:assert/strict'
import { versionIdOf } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  failsWith,
  garbage,
  get,
  getVersion,
  objectInit,
  OWNER,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from './metadata-requests.ts'

const { ENABLED, SUSPENDED } = BucketVersioning
const { NO_SUCH_KEY, NO_SUCH_VERSION, PRECONDITION_FAILED } = FailureCode

async function versionedBucket(api: MetadataApi, versioning = ENABLED): Promise<void> {
  await createBucket(api)
  await setVersioning(api, versioning)
}

/** `key id`, the latest with a star, delete markers with a minus. */
async function listed(api: MetadataApi, more: object = {}): Promise<string[]> {
  const { versions } = await api.call('listVersions', { bucket: BUCKET, limit: 1000, ...more })
  return versions.map(
    ({ object, versionId, latest, deleteMarker }) =>
      `${object?.key ?? ''} ${versionId}${latest ? '*' : ''}${deleteMarker ? '-' : ''}`,
  )
}

export const versionCases: readonly Case[] = [
  [
    'a bucket without versions has the null version of each object, and no order',
    async (api) => {
      await createBucket(api)
      const object = await put(api, 'k', { order: 7n, versioned: true, deleteMarker: true })
      assert.deepEqual([object.order, object.versioned, object.deleteMarker], [0n, false, false])
      assert.equal((await getVersion(api, 'k', 'null'))?.version, object.version)
      await failsWith(
        api.call('getObject', { bucket: BUCKET, key: 'k', versionId: 'a'.repeat(32) }),
        NO_SUCH_VERSION,
      )
      assert.deepEqual(await listed(api), ['k null*'])
      const { existed, deleteMarker, versionId } = await remove(api, 'k', { versionId: 'null' })
      assert.deepEqual([existed, deleteMarker, versionId], [true, false, ''])
      assert.deepEqual(await listed(api), [])
      await api.call('deleteBucket', { name: BUCKET })
    },
  ],
  [
    'what is there when versions begin stays as the null version, under those that follow',
    async (api) => {
      await createBucket(api)
      await put(api, 'k', { etag: 'old' })
      await setVersioning(api, ENABLED)
      assert.equal((await get(api, 'k'))?.etag, 'old')
      const first = versionIdOf(await put(api, 'k', { etag: 'first' }))
      const second = versionIdOf(await put(api, 'k', { etag: 'second' }))
      assert.match(first, /^[A-Za-z0-9._]{32}$/)
      assert.deepEqual(await listed(api), [`k ${second}*`, `k ${first}`, 'k null'])
      for (const [id, etag] of [
        [first, 'first'],
        [second, 'second'],
        ['null', 'old'],
      ] as const) {
        assert.equal((await getVersion(api, 'k', id))?.etag, etag)
      }
      assert.deepEqual(await garbage(api), [])
    },
  ],
  [
    'a delete puts a marker on top, even where there never was an object, and each time another',
    async (api) => {
      await versionedBucket(api)
      const object = versionIdOf(await put(api, 'k'))
      const first = await remove(api, 'k')
      assert.deepEqual([first.existed, first.deleteMarker], [true, true])
      await failsWith(api.call('getObject', { bucket: BUCKET, key: 'k' }), NO_SUCH_KEY, {
        Key: 'k',
        DeleteMarker: 'true',
        VersionId: first.versionId,
      })
      const marker = await getVersion(api, 'k', first.versionId)
      assert.deepEqual([marker?.deleteMarker, marker?.owner, marker?.size], [true, OWNER, 0n])
      assert.ok((marker?.lastModifiedMs ?? 0n) > 0n)
      const second = await remove(api, 'k')
      const other = await remove(api, 'never-there')
      assert.deepEqual([other.existed, other.deleteMarker], [false, true])
      assert.deepEqual(await listed(api), [
        `k ${second.versionId}*-`,
        `k ${first.versionId}-`,
        `k ${object}`,
        `never-there ${other.versionId}*-`,
      ])
      assert.deepEqual((await api.call('listObjects', { bucket: BUCKET, limit: 10 })).objects, [])
      await failsWith(api.call('deleteBucket', { name: BUCKET }), FailureCode.BUCKET_NOT_EMPTY)
      assert.deepEqual(await garbage(api), [])
    },
  ],
  [
    'deleting the newest version makes the next one current, be it an object or a marker',
    async (api) => {
      await createBucket(api)
      const none = await put(api, 'k')
      await setVersioning(api, ENABLED)
      const marker = await remove(api, 'k')
      const object = await put(api, 'k')
      const above = await remove(api, 'k')
      const gone = await remove(api, 'k', { versionId: above.versionId })
      assert.deepEqual([gone.existed, gone.deleteMarker, gone.versionId], [true, true, above.versionId])
      assert.equal((await get(api, 'k'))?.etag, object.etag)
      await remove(api, 'k', { versionId: versionIdOf(object) })
      assert.equal(await get(api, 'k'), undefined)
      assert.deepEqual(await listed(api), [`k ${marker.versionId}*-`, 'k null'])
      await remove(api, 'k', { versionId: marker.versionId })
      assert.equal((await get(api, 'k'))?.etag, none.etag)
      for (let times = 0; times < 2; times++) {
        const last = await remove(api, 'k', { versionId: 'null' })
        assert.deepEqual([last.existed, last.versionId], [times === 0, 'null'])
      }
      assert.deepEqual(await listed(api), [])
      assert.deepEqual(await garbage(api), [none.blob?.id ?? '', object.blob?.id ?? ''].sort())
      await api.call('deleteBucket', { name: BUCKET })
    },
  ],
  [
    'while versions are suspended, writes and deletes replace the null version wherever it lies',
    async (api) => {
      await createBucket(api)
      const first = await put(api, 'k')
      await setVersioning(api, ENABLED)
      const kept = await put(api, 'k')
      await setVersioning(api, SUSPENDED)
      const second = await put(api, 'k')
      assert.equal(versionIdOf(second), 'null')
      assert.deepEqual(await garbage(api), [first.blob?.id])
      assert.deepEqual(await listed(api), ['k null*', `k ${versionIdOf(kept)}`])
      const marker = await remove(api, 'k')
      assert.deepEqual([marker.deleteMarker, marker.versionId], [true, 'null'])
      await remove(api, 'k')
      assert.deepEqual(await listed(api), ['k null*-', `k ${versionIdOf(kept)}`])
      assert.equal((await getVersion(api, 'k', 'null'))?.deleteMarker, true)
      await put(api, 'k', { etag: 'third' })
      assert.deepEqual(await listed(api), ['k null*', `k ${versionIdOf(kept)}`])
      await remove(api, 'k', { versionId: 'null' })
      assert.equal((await get(api, 'k'))?.etag, kept.etag)
      assert.equal((await garbage(api)).length, 3)
    },
  ],
  [
    'deleting a version that is not there succeeds and changes nothing',
    async (api) => {
      await versionedBucket(api)
      const object = await put(api, 'k')
      const elsewhere = versionIdOf({ ...object, version: 'f'.repeat(32) })
      for (const versionId of ['null', elsewhere, 'a'.repeat(32), 'no version id']) {
        const reply = await remove(api, 'k', { versionId })
        assert.deepEqual([reply.existed, reply.deleteMarker, reply.versionId], [false, false, versionId])
        await failsWith(api.call('getObject', { bucket: BUCKET, key: 'k', versionId }), NO_SUCH_VERSION, {
          Key: 'k',
          VersionId: versionId,
        })
      }
      assert.deepEqual(await listed(api), [`k ${versionIdOf(object)}*`])
    },
  ],
  [
    'conditions of a delete are held against what it deletes; a delete marker meets none',
    async (api) => {
      await versionedBucket(api)
      const ifMatch = (...etags: string[]) => ({ conditions: { ifMatch: etags } })
      const failed = { Condition: 'If-Match' }
      await failsWith(remove(api, 'k', ifMatch('*')), NO_SUCH_KEY)
      await failsWith(remove(api, 'k', ifMatch('e')), NO_SUCH_KEY)
      const object = await put(api, 'k', { etag: 'e', size: 5n })
      const versionId = versionIdOf(object)
      await failsWith(remove(api, 'k', ifMatch('x')), PRECONDITION_FAILED, failed)
      await failsWith(remove(api, 'k', { versionId, ...ifMatch('x') }), PRECONDITION_FAILED, failed)
      const size = remove(api, 'k', { conditions: { ifMatchSize: 4n } })
      await failsWith(size, PRECONDITION_FAILED, { Condition: 'x-amz-if-match-size' })
      const time = { ifMatchLastModifiedMs: object.lastModifiedMs + 1000n }
      await failsWith(remove(api, 'k', { conditions: time }), PRECONDITION_FAILED, {
        Condition: 'x-amz-if-match-last-modified-time',
      })
      const second = { ifMatchLastModifiedMs: (object.lastModifiedMs / 1000n) * 1000n, ifMatchSize: 5n }
      const marker = await remove(api, 'k', { conditions: { ...second, ifMatch: ['e'] } })
      assert.equal(marker.deleteMarker, true)
      await failsWith(remove(api, 'k', ifMatch('*')), PRECONDITION_FAILED, failed)
      await failsWith(remove(api, 'k', { conditions: { ifMatchSize: 0n } }), PRECONDITION_FAILED)
      await failsWith(remove(api, 'k', { versionId: marker.versionId, ...ifMatch('*') }), PRECONDITION_FAILED)
      assert.equal((await remove(api, 'k', { versionId, ...ifMatch('e') })).existed, true)
      await failsWith(remove(api, 'k', { versionId, ...ifMatch('e') }), NO_SUCH_VERSION)
      assert.equal((await remove(api, 'k', { versionId, conditions: { ifMatchSize: 9n } })).existed, false)
      assert.deepEqual(await listed(api), [`k ${marker.versionId}*-`])
    },
  ],
  [
    'for the conditions of a write a delete marker is as nothing; what was seen and is gone is a conflict',
    async (api) => {
      await versionedBucket(api)
      const observedVersion = versionIdOf(await put(api, 'k', { etag: 'e' }))
      await remove(api, 'k')
      await failsWith(put(api, 'k', {}, { ifMatch: ['*'] }), NO_SUCH_KEY)
      await failsWith(put(api, 'k', {}, { ifMatch: ['e'], observedVersion: '' }), NO_SUCH_KEY)
      const seen = put(api, 'k', {}, { ifMatch: ['e'], observedVersion })
      await failsWith(seen, FailureCode.CONDITIONAL_CONFLICT, { Condition: 'If-Match' })
      await put(api, 'k', { etag: 'f' }, { ifNoneMatchAny: true })
      await failsWith(put(api, 'k', {}, { ifNoneMatchAny: true }), PRECONDITION_FAILED)
      await failsWith(put(api, 'k', {}, { ifMatch: ['e'], observedVersion }), PRECONDITION_FAILED)
    },
  ],
  [
    'a completed upload is a version like any other, and is found again under newer ones',
    async (api) => {
      await versionedBucket(api)
      await put(api, 'k')
      const tags = [{ key: 'a', value: 'b' }]
      const acl = { grants: [{ account: OWNER, permission: 'READ' }] }
      const upload = await startUpload(api, 'k', undefined, BUCKET, { tags, acl })
      const part = await putPart(api, 'k', upload, 1)
      const object = await complete(api, 'k', upload, [part], { etag: 'whole' })
      assert.equal(object.version, upload)
      assert.equal(object.tags[0]?.value, 'b')
      assert.equal(object.acl?.grants[0]?.account, OWNER)
      await put(api, 'k')
      const marker = await remove(api, 'k')
      const again = await complete(api, 'k', upload, [part], { etag: 'whole' })
      assert.equal(versionIdOf(again), versionIdOf(object))
      await failsWith(complete(api, 'k', upload, [part], { etag: 'other' }), FailureCode.NO_SUCH_UPLOAD)
      assert.equal((await listed(api)).length, 4)
      assert.deepEqual(await garbage(api), [])
      await remove(api, 'k', { versionId: versionIdOf(object) })
      assert.deepEqual(await garbage(api), [part.blob?.id])
      await failsWith(complete(api, 'k', upload, [part], { etag: 'whole' }), FailureCode.NO_SUCH_UPLOAD)
      assert.equal((await listed(api))[0], `k ${marker.versionId}*-`)
    },
  ],
  [
    'the same commit again makes no second version while it can be seen to be the same',
    async (api) => {
      await versionedBucket(api)
      const object = objectInit('k')
      const first = await api.call('commitObject', { object })
      const again = await api.call('commitObject', { object })
      assert.deepEqual(again.object?.order, first.object?.order)
      await setVersioning(api, SUSPENDED)
      const none = objectInit('k')
      await api.call('commitObject', { object: none })
      await setVersioning(api, ENABLED)
      await put(api, 'k')
      await setVersioning(api, SUSPENDED)
      await api.call('commitObject', { object: none })
      assert.equal((await listed(api)).length, 3)
      assert.deepEqual(await garbage(api), [])
    },
  ],
  [
    'tags and access control lists change on a version, which stays where and when it was',
    async (api) => {
      await versionedBucket(api)
      const old = await put(api, 'k', { etag: 'old', tags: [{ key: 'a', value: '1' }] })
      const current = await put(api, 'k', { etag: 'new' })
      const marker = await remove(api, 'gone')
      const update = (more: object) => api.call('updateObject', { bucket: BUCKET, key: 'k', ...more })
      const tags = { tags: [{ key: 'b', value: '2' }] }
      const acl = { grants: [{ group: 'everyone', permission: 'READ' }] }
      const versionId = versionIdOf(old)
      const { object } = await update({ versionId, acl })
      assert.deepEqual([object?.tags[0]?.key, object?.acl?.grants[0]?.group], ['a', 'everyone'])
      await update({ versionId, tags, ifMatch: 'old' })
      const read = await getVersion(api, 'k', versionId)
      assert.deepEqual(
        [read?.tags[0]?.key, read?.acl?.grants[0]?.group, read?.order, read?.lastModifiedMs],
        ['b', 'everyone', old.order, old.lastModifiedMs],
      )
      await update({ tags })
      assert.equal((await get(api, 'k'))?.tags[0]?.key, 'b')
      await update({ tags: {}, ifMatch: '*' })
      assert.deepEqual((await get(api, 'k'))?.tags, [])
      assert.equal((await get(api, 'k'))?.order, current.order)
      await failsWith(update({ tags, ifMatch: 'x' }), PRECONDITION_FAILED, { Condition: 'If-Match' })
      await failsWith(update({ tags, versionId: 'null' }), NO_SUCH_VERSION)
      await failsWith(update({ tags, key: 'gone' }), NO_SUCH_KEY)
      await failsWith(update({ tags, key: 'never' }), NO_SUCH_KEY)
      await failsWith(
        update({ tags, key: 'gone', versionId: marker.versionId }),
        FailureCode.METHOD_NOT_ALLOWED,
      )
    },
  ],
  [
    'markers of a listing of versions: within a key, past it, past a common prefix; and what is none',
    async (api) => {
      await versionedBucket(api)
      const ids: string[] = []
      for (const key of ['a/1', 'a/2', 'b', 'b', 'b', 'c']) ids.push(versionIdOf(await put(api, key)))
      const [, , b1 = '', b2 = '', b3 = '', c = ''] = ids
      assert.deepEqual(await listed(api, { keyMarker: 'b' }), [`c ${c}*`])
      assert.deepEqual(await listed(api, { keyMarker: 'b', versionIdMarker: b3 }), [
        `b ${b2}`,
        `b ${b1}`,
        `c ${c}*`,
      ])
      assert.deepEqual(await listed(api, { delimiter: '/', keyMarker: 'a/' }), [
        `b ${b3}*`,
        `b ${b2}`,
        `b ${b1}`,
        `c ${c}*`,
      ])
      const page = await api.call('listVersions', { bucket: BUCKET, delimiter: '/', limit: 1 })
      assert.deepEqual(
        [page.commonPrefixes, page.nextKeyMarker, page.nextVersionIdMarker, page.truncated],
        [['a/'], 'a/', '', true],
      )
      // All that were newer than the marker's version are removed meanwhile: the next is the latest now.
      for (const versionId of [b3, b2]) await remove(api, 'b', { versionId })
      assert.deepEqual(await listed(api, { keyMarker: 'b', versionIdMarker: b2 }), [`b ${b1}*`, `c ${c}*`])
      const { INVALID_REQUEST } = FailureCode
      const list = (more: object) => api.call('listVersions', { bucket: BUCKET, limit: 1, ...more })
      await failsWith(list({ versionIdMarker: b1 }), INVALID_REQUEST)
      await failsWith(list({ keyMarker: 'b', versionIdMarker: 'x' }), INVALID_REQUEST)
      await failsWith(list({ bucket: 'none' }), FailureCode.NO_SUCH_BUCKET)
      assert.deepEqual((await list({ limit: 0 })).versions, [])
    },
  ],
  [
    'a key of which there are only delete markers is listed between folders of many versions and what follows',
    async (api) => {
      await versionedBucket(api)
      for (let round = 0; round < 40; round++) await put(api, round % 2 === 0 ? 'p/1' : 'p/2')
      const marker = await remove(api, 'q')
      const object = await put(api, 'r')
      for (const limit of [1, 2, 3, 4, 1000]) {
        const seen: string[] = []
        let markers = { keyMarker: '', versionIdMarker: '' }
        for (let more = true; more;) {
          const page = await api.call('listVersions', { bucket: BUCKET, delimiter: '/', limit, ...markers })
          seen.push(...page.commonPrefixes, ...page.versions.map(({ versionId }) => versionId))
          markers = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
          more = page.truncated
        }
        assert.deepEqual(seen, ['p/', marker.versionId, versionIdOf(object)])
      }
    },
  ],
  [
    'a version that exists is found by its id, and listed once, however versions move above it',
    async (api) => {
      await createBucket(api)
      const none = await put(api, 'k')
      await setVersioning(api, ENABLED)
      const kept = versionIdOf(await put(api, 'k'))
      const rounds = { left: 40 }
      async function move(): Promise<void> {
        for (; rounds.left > 0; rounds.left--) {
          const above = await put(api, 'k')
          await remove(api, 'k', { versionId: versionIdOf(above) })
          const marker = await remove(api, 'k')
          await remove(api, 'k', { versionId: marker.versionId })
        }
      }
      async function look(): Promise<void> {
        while (rounds.left > 0) {
          assert.ok((await getVersion(api, 'k', kept)) !== undefined)
          assert.equal((await getVersion(api, 'k', 'null'))?.version, none.version)
          const versions = await listed(api)
          assert.equal(versions.filter((one) => one.startsWith(`k ${kept}`)).length, 1, versions.join())
          assert.equal(versions.filter((one) => one.includes('*')).length, 1, versions.join())
          await new Promise(setImmediate)
        }
      }
      await Promise.all([move(), look(), look(), look()])
    },
  ],
]
