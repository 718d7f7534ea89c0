import assert from 'node:assert/strict'
import { equals } from '@bufbuild/protobuf'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  createBucket,
  failsWith,
  garbage,
  get,
  OWNER,
  put,
  putPart,
  startUpload,
  until,
} from './metadata-requests.ts'

export const bucketCases: readonly Case[] = [
  [
    'a bucket is created, found and deleted',
    async (api) => {
      const created = await api.call('createBucket', {
        bucket: { name: 'b', owner: OWNER, region: 'eu' },
        limitPerOwner: 1,
      })
      assert.equal(created.bucket?.incarnation.length, 16)
      assert.ok((created.bucket?.createdMs ?? 0n) > 0n)
      const { bucket } = await api.call('getBucket', { name: 'b' })
      assert.ok(bucket !== undefined && created.bucket !== undefined)
      assert.ok(equals(BucketRecordSchema, bucket, created.bucket))
      await api.call('deleteBucket', { name: 'b' })
      await failsWith(api.call('getBucket', { name: 'b' }), FailureCode.NO_SUCH_BUCKET)
      await failsWith(api.call('deleteBucket', { name: 'b' }), FailureCode.NO_SUCH_BUCKET)
    },
  ],
  [
    'a bucket of the same name later is another bucket',
    async (api) => {
      await createBucket(api)
      const first = await api.call('getBucket', { name: BUCKET })
      await api.call('deleteBucket', { name: BUCKET })
      await createBucket(api)
      const second = await api.call('getBucket', { name: BUCKET })
      assert.notDeepEqual(first.bucket?.incarnation, second.bucket?.incarnation)
    },
  ],
  [
    'a name that is taken says whose it is',
    async (api) => {
      await createBucket(api)
      await failsWith(createBucket(api), FailureCode.BUCKET_ALREADY_OWNED_BY_YOU)
      await failsWith(createBucket(api, BUCKET, '999'), FailureCode.BUCKET_ALREADY_EXISTS)
    },
  ],
  [
    'an account cannot have more buckets than its limit, however many it creates at once',
    async (api) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, index) =>
          api.call('createBucket', { bucket: { name: `b${index}`, owner: OWNER }, limitPerOwner: 5 }),
        ),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5)
      const more = api.call('createBucket', { bucket: { name: 'more', owner: OWNER }, limitPerOwner: 5 })
      await failsWith(more, FailureCode.TOO_MANY_BUCKETS)
      await api.call('createBucket', { bucket: { name: 'other', owner: '999' }, limitPerOwner: 5 })
    },
  ],
  [
    'exactly one of many creators of a name gets it',
    async (api) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) => createBucket(api, BUCKET, `owner-${index}`)),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
    },
  ],
  [
    'buckets are listed by owner, prefix and region, in pages',
    async (api) => {
      const names = ['alpha', 'beta', 'beta.2', 'gamma']
      for (const name of names) {
        const region = name === 'beta' ? 'eu' : ''
        await api.call('createBucket', { bucket: { name, owner: OWNER, region }, limitPerOwner: 100 })
      }
      await createBucket(api, 'theirs', '999')
      const list = async (more: object) => {
        const reply = await api.call('listBuckets', { owner: OWNER, limit: 10, ...more })
        return [reply.buckets.map(({ name }) => name), reply.truncated]
      }
      assert.deepEqual(await list({}), [names, false])
      assert.deepEqual(await list({ limit: 2 }), [['alpha', 'beta'], true])
      assert.deepEqual(await list({ after: 'beta', limit: 2 }), [['beta.2', 'gamma'], false])
      assert.deepEqual(await list({ prefix: 'beta' }), [['beta', 'beta.2'], false])
      assert.deepEqual(await list({ prefix: 'beta', after: 'alpha' }), [['beta', 'beta.2'], false])
      assert.deepEqual(await list({ prefix: 'beta', after: 'z' }), [[], false])
      assert.deepEqual(await list({ region: 'eu' }), [['beta'], false])
      assert.deepEqual(await list({ limit: 0 }), [[], false])
      assert.deepEqual(await list({ owner: 'nobody' }), [[], false])
      const all = [...names, 'theirs']
      assert.deepEqual(await list({ everyOwner: true }), [all, false])
      assert.deepEqual(await list({ everyOwner: true, limit: 5 }), [all, false])
      assert.deepEqual(await list({ everyOwner: true, limit: 3 }), [all.slice(0, 3), true])
      assert.deepEqual(await list({ everyOwner: true, after: 'beta.2' }), [['gamma', 'theirs'], false])
      assert.deepEqual(await list({ everyOwner: true, prefix: 't', after: 'a' }), [['theirs'], false])
      assert.deepEqual(await list({ everyOwner: true, region: 'eu' }), [['beta'], false])
      assert.deepEqual(await list({ everyOwner: true, limit: 0 }), [[], false])
    },
  ],
  [
    'a bucket with objects is not deleted',
    async (api) => {
      await createBucket(api)
      await put(api, 'k')
      await failsWith(api.call('deleteBucket', { name: BUCKET }), FailureCode.BUCKET_NOT_EMPTY)
      await api.call('deleteObject', { bucket: BUCKET, key: 'k' })
      await api.call('deleteBucket', { name: BUCKET })
      await failsWith(get(api, 'k'), FailureCode.NO_SUCH_BUCKET)
      await failsWith(put(api, 'k'), FailureCode.NO_SUCH_BUCKET)
      await failsWith(api.call('deleteObject', { bucket: BUCKET, key: 'k' }), FailureCode.NO_SUCH_BUCKET)
      await failsWith(api.call('listObjects', { bucket: BUCKET, limit: 1 }), FailureCode.NO_SUCH_BUCKET)
      await failsWith(startUpload(api, 'k'), FailureCode.NO_SUCH_BUCKET)
      await failsWith(api.call('listUploads', { bucket: BUCKET, limit: 1 }), FailureCode.NO_SUCH_BUCKET)
    },
  ],
  [
    'uploads in progress go with their bucket, and their parts become garbage; a new bucket does not see them',
    async (api) => {
      await createBucket(api)
      const blobs: string[] = []
      for (let index = 0; index < 60; index++) {
        const upload = await startUpload(api, `key-${index}`)
        const part = await putPart(api, `key-${index}`, upload, 1)
        blobs.push(part.blob?.id ?? '')
      }
      await api.call('deleteBucket', { name: BUCKET })
      await createBucket(api)
      const { uploads } = await api.call('listUploads', { bucket: BUCKET, limit: 10 })
      assert.deepEqual(uploads, [])
      await until(async () => (await garbage(api)).length >= blobs.length)
      assert.deepEqual(await garbage(api), blobs.sort())
    },
  ],
  [
    'a delete of a bucket and a write into it never both succeed',
    async (api) => {
      for (let round = 0; round < 20; round++) {
        const name = `race-${round}`
        await createBucket(api, name)
        const order = [
          () => put(api, 'k', { bucket: name }),
          () => api.call('deleteBucket', { name }),
          () => put(api, 'l', { bucket: name }),
        ]
        if (round % 2 === 1) order.reverse()
        const outcomes = await Promise.allSettled(order.map((run) => run()))
        const deleted = outcomes[1]?.status === 'fulfilled'
        const written = [outcomes[0], outcomes[2]].filter((outcome) => outcome?.status === 'fulfilled').length
        if (deleted) {
          assert.equal(written, 0)
          await failsWith(get(api, 'k', name), FailureCode.NO_SUCH_BUCKET)
        } else assert.equal(written, 2)
      }
    },
  ],
]
