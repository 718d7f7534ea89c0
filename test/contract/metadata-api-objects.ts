import assert from 'node:assert/strict'
import { equals } from '@bufbuild/protobuf'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Case } from './metadata-api.ts'
import { BUCKET, createBucket, failsWith, garbage, get, newId, objectInit, put } from './metadata-requests.ts'

export const objectCases: readonly Case[] = [
  [
    'an object comes back as it was committed',
    async (api) => {
      await createBucket(api)
      const headers = { contentType: 'text/plain', user: { colour: 'blue', naïve: '\u{1F600}' } }
      const checksums = [{ algorithm: 'CRC32', value: 'AAAAAA==', type: 'FULL_OBJECT' }]
      const blob = {
        id: newId(),
        size: 5n,
        code: 'rs-4-2',
        group: 65_540,
        relocations: [{ shard: 2, firstStripe: 0, stripeCount: 1, node: 'n' }],
      }
      const object = objectInit('k/\u{1F600}', { headers, checksums, blob })
      const committed = await api.call('commitObject', { object })
      const read = await get(api, 'k/\u{1F600}')
      assert.ok(read !== undefined)
      assert.ok(committed.object !== undefined && equals(ObjectRecordSchema, read, committed.object))
      assert.equal(read.version, object.version)
      assert.deepEqual({ ...read.headers?.user }, headers.user)
      assert.equal(read.blob?.relocations[0]?.node, 'n')
      assert.equal(read.checksums[0]?.value, 'AAAAAA==')
      assert.ok(read.lastModifiedMs > 0n)
    },
  ],
  [
    'a write is admitted beforehand, and committed with the admission, with another, or with none',
    async (api) => {
      await createBucket(api)
      const ask = async (key: string) => (await api.call('admitWrite', { bucket: BUCKET, key })).admission
      const [first, second] = [await ask('k'), await ask('k')]
      assert.ok(first !== 0n && second !== 0n && first !== second)
      assert.equal(await get(api, 'k'), undefined)
      for (const admission of [first, first, 1n, 0n]) {
        const object = objectInit('k')
        await api.call('commitObject', { object, admission })
        assert.equal((await get(api, 'k'))?.version, object.version)
      }
    },
  ],
  [
    'what is not there is named',
    async (api) => {
      await failsWith(get(api, 'k'), FailureCode.NO_SUCH_BUCKET)
      await failsWith(put(api, 'k'), FailureCode.NO_SUCH_BUCKET)
      await createBucket(api)
      await failsWith(api.call('getObject', { bucket: BUCKET, key: 'k' }), FailureCode.NO_SUCH_KEY)
      assert.equal((await api.call('deleteObject', { bucket: BUCKET, key: 'k' })).existed, false)
    },
  ],
  [
    'a request that makes no sense is refused',
    async (api) => {
      await createBucket(api)
      const { INVALID_REQUEST } = FailureCode
      await failsWith(api.call('commitObject', {}), INVALID_REQUEST)
      await failsWith(put(api, ''), INVALID_REQUEST)
      await failsWith(put(api, 'x'.repeat(1025)), INVALID_REQUEST)
      await failsWith(put(api, 'é'.repeat(513)), INVALID_REQUEST)
      await failsWith(put(api, 'k', { version: 'ABC' }), INVALID_REQUEST)
      await failsWith(put(api, 'k', { manifest: { partCount: 1 } }), INVALID_REQUEST)
      await failsWith(api.call('createBucket', {}), INVALID_REQUEST)
      assert.equal(await get(api, 'k'), undefined)
      await put(api, 'x'.repeat(1024))
    },
  ],
  [
    'an overwrite and a delete put the old blob in the garbage, once',
    async (api) => {
      await createBucket(api)
      const first = await put(api, 'k')
      const second = await put(api, 'k')
      assert.deepEqual(await garbage(api), [first.blob?.id])
      assert.equal((await api.call('deleteObject', { bucket: BUCKET, key: 'k' })).existed, true)
      assert.equal(await get(api, 'k'), undefined)
      assert.deepEqual(await garbage(api), [first.blob?.id ?? '', second.blob?.id ?? ''].sort())
      const { blob: _, ...empty } = objectInit('empty', { size: 0n })
      await api.call('commitObject', { object: empty })
      await api.call('deleteObject', { bucket: BUCKET, key: 'empty' })
      assert.equal((await garbage(api)).length, 2)
    },
  ],
  [
    'the same commit again changes nothing and makes no garbage of its own bytes',
    async (api) => {
      await createBucket(api)
      const object = objectInit('k')
      const conditions = { ifNoneMatchAny: true }
      const first = await api.call('commitObject', { object, conditions })
      const again = await api.call('commitObject', { object, conditions })
      assert.equal(again.object?.lastModifiedMs, first.object?.lastModifiedMs)
      assert.deepEqual(await garbage(api), [])
    },
  ],
  [
    'conditions are decided in the commit',
    async (api) => {
      await createBucket(api)
      const { PRECONDITION_FAILED, NO_SUCH_KEY } = FailureCode
      await failsWith(put(api, 'k', {}, { ifMatch: ['e'] }), NO_SUCH_KEY)
      await failsWith(put(api, 'k', {}, { ifMatch: ['*'] }), NO_SUCH_KEY)
      await put(api, 'k', { etag: 'e' }, { ifNoneMatchAny: true })
      const noneMatch = put(api, 'k', {}, { ifNoneMatchAny: true })
      await failsWith(noneMatch, PRECONDITION_FAILED, { Condition: 'If-None-Match' })
      await failsWith(put(api, 'k', {}, { ifMatch: ['x'] }), PRECONDITION_FAILED, { Condition: 'If-Match' })
      assert.equal((await get(api, 'k'))?.etag, 'e')
      await put(api, 'k', { etag: 'f' }, { ifMatch: ['x', 'e'] })
      const remove = (ifMatch: string[]) =>
        api.call('deleteObject', { bucket: BUCKET, key: 'k', conditions: { ifMatch } })
      await failsWith(remove(['e']), PRECONDITION_FAILED, { Condition: 'If-Match' })
      assert.equal((await remove(['f'])).existed, true)
      await failsWith(remove(['f']), NO_SUCH_KEY)
    },
  ],
  [
    'exactly one of many conditional writers wins, and the garbage is that of none',
    async (api) => {
      await createBucket(api)
      for (let round = 0; round < 10; round++) {
        const key = `k${round}`
        const creators = await Promise.allSettled(
          Array.from({ length: 16 }, () => put(api, key, {}, { ifNoneMatchAny: true })),
        )
        const won = creators.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
        assert.equal(won.length, 1)
        const current = await get(api, key)
        assert.equal(current?.version, won[0]?.version)
        const swappers = await Promise.allSettled(
          Array.from({ length: 16 }, () => put(api, key, {}, { ifMatch: [current?.etag ?? ''] })),
        )
        assert.equal(swappers.filter(({ status }) => status === 'fulfilled').length, 1)
      }
      assert.equal((await garbage(api)).length, 10)
    },
  ],
  [
    'compare-and-swap by many counts every success',
    async (api) => {
      await createBucket(api)
      await put(api, 'counter', { etag: '0' })
      let wins = 0
      async function count(): Promise<void> {
        for (let attempt = 0; attempt < 12; attempt++) {
          const etag = (await get(api, 'counter'))?.etag ?? ''
          const swap = put(api, 'counter', { etag: String(Number(etag) + 1) }, { ifMatch: [etag] })
          const [outcome] = await Promise.allSettled([swap])
          if (outcome?.status === 'fulfilled') wins++
          else await failsWith(swap, FailureCode.PRECONDITION_FAILED)
        }
      }
      await Promise.all(Array.from({ length: 8 }, count))
      assert.equal((await get(api, 'counter'))?.etag, String(wins))
      assert.ok(wins > 0)
    },
  ],
  [
    'a read after an answer sees what was answered, while others write and read the same key',
    async (api) => {
      await createBucket(api)
      let latest = 0
      async function write(): Promise<void> {
        for (let round = 1; round <= 60; round++) {
          await put(api, 'k', { etag: String(round) })
          latest = round
        }
      }
      async function read(how: 'get' | 'list'): Promise<void> {
        let seen = 0
        for (let done = false; !done; done = latest === 60) {
          const before = Math.max(latest, seen)
          const etag =
            how === 'get'
              ? (await get(api, 'k'))?.etag
              : (await api.call('listObjects', { bucket: BUCKET, limit: 1 })).objects[0]?.etag
          seen = Number(etag ?? '0')
          assert.ok(seen >= before, `read ${seen} after ${before}`)
          // A cached read answers within the turn: let the writer have one.
          await new Promise(setImmediate)
        }
      }
      await Promise.all([write(), read('get'), read('get'), read('list')])
    },
  ],
  [
    'repairs that a write owes are queued with it, and counted until they are acknowledged',
    async (api) => {
      await createBucket(api)
      const object = objectInit('k')
      const repairs = [{ bucket: BUCKET, key: 'k', version: 'd'.repeat(32), blob: { id: newId() } }]
      await api.call('commitObject', { object, repairs })
      await put(api, 'k')
      const { records } = await api.call('readOutbox', { limit: 10 })
      assert.deepEqual(
        records.map(({ task }) => task.case),
        ['repair', 'garbage'],
      )
      const backlog = async () => {
        const { outboxBacklog, repairBacklog } = await api.call('getCluster', {})
        return [outboxBacklog, repairBacklog]
      }
      assert.deepEqual(await backlog(), [2n, 1n])
      const [repair, trash] = records
      const after = await api.call('readOutbox', { after: repair?.sequence ?? 0n, limit: 10 })
      assert.deepEqual(
        after.records.map(({ sequence }) => sequence),
        [trash?.sequence],
      )
      const sequences = [repair?.sequence ?? 0n, 12_345n]
      await Promise.all([1, 2, 3].map(() => api.call('acknowledgeOutbox', { sequences })))
      assert.deepEqual(await backlog(), [1n, 0n])
      await failsWith(put(api, 'refused', {}, { ifMatch: ['x'] }), FailureCode.NO_SUCH_KEY)
      assert.deepEqual(await backlog(), [1n, 0n])
    },
  ],
]
