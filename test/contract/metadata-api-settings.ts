import assert from 'node:assert/strict'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BucketRecord,
  type BucketSetting,
  BucketSettingSchema,
  BucketVersioning,
  ObjectOwnership,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import { BUCKET, createBucket, failsWith, OWNER, put } from './metadata-requests.ts'

const { NEVER, ENABLED, SUSPENDED } = BucketVersioning
const KINDS = ['tagging', 'cors', 'acl'] as const
type Kind = (typeof KINDS)[number]

/** A setting of any kind that tells who wrote it. */
function settingOf(kind: Kind, mark: string): BucketSetting {
  switch (kind) {
    case 'tagging':
      return create(BucketSettingSchema, {
        setting: { case: kind, value: { tags: [{ key: 'mark', value: mark }] } },
      })
    case 'cors':
      return create(BucketSettingSchema, {
        setting: { case: kind, value: { rules: [{ id: mark, allowedMethods: ['GET'] }] } },
      })
    case 'acl':
      return create(BucketSettingSchema, {
        setting: { case: kind, value: { grants: [{ account: mark, permission: 'READ' }] } },
      })
  }
}

function markOf({ setting }: BucketSetting): string {
  switch (setting.case) {
    case 'tagging':
      return setting.value.tags[0]?.value ?? ''
    case 'cors':
      return setting.value.rules[0]?.id ?? ''
    case 'acl':
      return setting.value.grants[0]?.account ?? ''
    case undefined:
      return ''
  }
}

/** Kind → mark of the settings the bucket has. */
async function marks(
  api: MetadataApi,
  name = BUCKET,
  kinds: readonly string[] = KINDS,
): Promise<Record<string, string>> {
  const { settings } = await api.call('getBucketSetting', { name, kinds: [...kinds] })
  return Object.fromEntries(settings.map((one) => [String(one.setting.case), markOf(one)]))
}

async function update(
  api: MetadataApi,
  change: { versioning?: BucketVersioning; objectOwnership?: ObjectOwnership },
): Promise<BucketRecord> {
  const { bucket } = await api.call('updateBucket', { name: BUCKET, ...change })
  assert.ok(bucket !== undefined)
  assert.deepEqual((await api.call('getBucket', { name: BUCKET })).bucket, bucket)
  return bucket
}

type Step =
  | { readonly do: 'put' | 'delete'; readonly kind: Kind }
  | { readonly do: 'recreate'; readonly first: readonly Kind[] }
  | { readonly do: 'gone' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), kind: fc.constantFrom(...KINDS) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('delete' as const), kind: fc.constantFrom(...KINDS) }),
  },
  fc.record({ do: fc.constant('recreate' as const), first: fc.uniqueArray(fc.constantFrom(...KINDS)) }),
  fc.record({ do: fc.constant('gone' as const) }),
)

export const settingCases: readonly Case[] = [
  [
    'versioning is enabled, suspended and enabled again, and never undone; ownership changes by itself',
    async (api) => {
      await createBucket(api)
      const created = (await api.call('getBucket', { name: BUCKET })).bucket
      assert.equal(created?.versioning, NEVER)
      assert.equal((await update(api, { versioning: NEVER })).versioning, NEVER)
      for (const versioning of [ENABLED, SUSPENDED, ENABLED]) {
        assert.equal((await update(api, { versioning })).versioning, versioning)
      }
      const refused = api.call('updateBucket', { name: BUCKET, versioning: NEVER })
      await failsWith(refused, FailureCode.INVALID_REQUEST)
      const owned = await update(api, { objectOwnership: ObjectOwnership.OBJECT_WRITER })
      assert.deepEqual(owned, {
        ...created,
        versioning: ENABLED,
        objectOwnership: ObjectOwnership.OBJECT_WRITER,
      })
      const gone = api.call('updateBucket', { name: 'no-such', versioning: ENABLED })
      await failsWith(gone, FailureCode.NO_SUCH_BUCKET)
    },
  ],
  [
    'a bucket has from its first moment what it is created with',
    async (api) => {
      const bucket = {
        name: BUCKET,
        owner: OWNER,
        versioning: ENABLED,
        objectOwnership: ObjectOwnership.BUCKET_OWNER_PREFERRED,
      }
      const settings = [settingOf('tagging', 'one'), settingOf('acl', 'two')]
      const reply = await api.call('createBucket', { bucket, settings })
      assert.equal(reply.bucket?.versioning, ENABLED)
      assert.equal(reply.bucket.objectOwnership, ObjectOwnership.BUCKET_OWNER_PREFERRED)
      assert.deepEqual(await marks(api), { tagging: 'one', acl: 'two' })
      const twice = [settingOf('acl', 'one'), settingOf('acl', 'two')]
      const other = { name: 'other', owner: OWNER }
      await failsWith(
        api.call('createBucket', { bucket: other, settings: twice }),
        FailureCode.INVALID_REQUEST,
      )
      await failsWith(api.call('getBucket', { name: 'other' }), FailureCode.NO_SUCH_BUCKET)
    },
  ],
  [
    'a setting is put, read with others, replaced and deleted',
    async (api) => {
      await createBucket(api)
      await createBucket(api, `${BUCKET}.longer`)
      assert.deepEqual(await marks(api), {})
      for (const kind of KINDS) {
        await api.call('putBucketSetting', { name: BUCKET, setting: settingOf(kind, 'a') })
      }
      await api.call('putBucketSetting', { name: BUCKET, setting: settingOf('cors', 'b') })
      assert.deepEqual(await marks(api), { tagging: 'a', cors: 'b', acl: 'a' })
      assert.deepEqual(await marks(api, BUCKET, ['cors', 'cors']), { cors: 'b' })
      assert.deepEqual(await marks(api, BUCKET, []), {})
      assert.deepEqual(await marks(api, `${BUCKET}.longer`), {})
      const { bucket } = await api.call('getBucketSetting', { name: BUCKET, kinds: ['acl'] })
      assert.deepEqual(bucket, (await api.call('getBucket', { name: BUCKET })).bucket)
      const remove = { name: BUCKET, kind: 'tagging' }
      assert.equal((await api.call('deleteBucketSetting', remove)).existed, true)
      assert.equal((await api.call('deleteBucketSetting', remove)).existed, false)
      assert.deepEqual(await marks(api), { cors: 'b', acl: 'a' })
    },
  ],
  [
    'a setting is whole: everything in it comes back',
    async (api) => {
      await createBucket(api)
      const rules = [
        {
          id: 'x',
          allowedMethods: ['GET', 'PUT'],
          allowedOrigins: ['https://*.example.com'],
          allowedHeaders: ['*'],
          exposeHeaders: ['etag'],
          maxAgeSeconds: 0,
        },
        { id: '', allowedMethods: ['HEAD'], allowedOrigins: ['*'], allowedHeaders: [], exposeHeaders: [] },
      ]
      await api.call('putBucketSetting', {
        name: BUCKET,
        setting: { setting: { case: 'cors', value: { rules } } },
      })
      const { settings } = await api.call('getBucketSetting', { name: BUCKET, kinds: ['cors'] })
      const [setting] = settings
      assert.ok(setting?.setting.case === 'cors')
      assert.deepEqual(
        setting.setting.value.rules.map(({ $typeName: _, ...rule }) => rule),
        rules,
      )
    },
  ],
  [
    'what is no setting is refused, and a bucket that is not there has none',
    async (api) => {
      await createBucket(api)
      const { INVALID_REQUEST, NO_SUCH_BUCKET } = FailureCode
      const tags = Array.from({ length: 1000 }, (_, n) => ({ key: `${n}`, value: 'v'.repeat(80) }))
      const large = { setting: { case: 'tagging', value: { tags } } } as const
      for (const setting of [undefined, {}, large]) {
        const request = setting === undefined ? { name: BUCKET } : { name: BUCKET, setting }
        await failsWith(api.call('putBucketSetting', request), INVALID_REQUEST)
      }
      await failsWith(marks(api, BUCKET, ['policy']), INVALID_REQUEST)
      await failsWith(api.call('deleteBucketSetting', { name: BUCKET, kind: 'format' }), INVALID_REQUEST)
      assert.deepEqual(await marks(api), {})
      const setting = settingOf('acl', 'x')
      await failsWith(api.call('putBucketSetting', { name: 'no-such', setting }), NO_SUCH_BUCKET)
      await failsWith(marks(api, 'no-such'), NO_SUCH_BUCKET)
      await failsWith(api.call('deleteBucketSetting', { name: 'no-such', kind: 'acl' }), NO_SUCH_BUCKET)
    },
  ],
  [
    'settings do not keep a bucket from being deleted, and go only if it goes',
    async (api) => {
      await createBucket(api)
      await api.call('putBucketSetting', { name: BUCKET, setting: settingOf('cors', 'kept') })
      await put(api, 'k')
      await failsWith(api.call('deleteBucket', { name: BUCKET }), FailureCode.BUCKET_NOT_EMPTY)
      assert.deepEqual(await marks(api), { cors: 'kept' })
      await api.call('deleteObject', { bucket: BUCKET, key: 'k' })
      await api.call('deleteBucket', { name: BUCKET })
      await failsWith(marks(api), FailureCode.NO_SUCH_BUCKET)
    },
  ],
  [
    'any sequence of puts, deletes and buckets made anew agrees with a map',
    async (api) => {
      let count = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const name = `settings-${count++}`
          let model: Map<string, string> | undefined
          for (const [index, one] of steps.entries()) {
            const mark = String(index)
            if (one.do === 'gone' || one.do === 'recreate') {
              if (model !== undefined) await api.call('deleteBucket', { name })
              model = undefined
            }
            if (one.do === 'recreate') {
              const settings = one.first.map((kind) => settingOf(kind, mark))
              await api.call('createBucket', { bucket: { name, owner: OWNER }, settings })
              model = new Map(one.first.map((kind) => [kind, mark]))
            } else if (one.do === 'put') {
              const done = api.call('putBucketSetting', { name, setting: settingOf(one.kind, mark) })
              await (model === undefined ? failsWith(done, FailureCode.NO_SUCH_BUCKET) : done)
              model?.set(one.kind, mark)
            } else if (one.do === 'delete') {
              const done = api.call('deleteBucketSetting', { name, kind: one.kind })
              if (model === undefined) await failsWith(done, FailureCode.NO_SUCH_BUCKET)
              else assert.equal((await done).existed, model.delete(one.kind))
            }
            if (model === undefined) await failsWith(marks(api, name), FailureCode.NO_SUCH_BUCKET)
            else assert.deepEqual(await marks(api, name), Object.fromEntries(model))
          }
        }),
        { numRuns: 40 },
      )
    },
  ],
  [
    'a reader sees a bucket and its settings of one life, while buckets of the name come and go',
    async (api) => {
      // Each life of the bucket has its owner's name in all of its settings.
      const lives = new AbortController()
      const living = async () => {
        for (let life = 0; life < 30; life++) {
          if (life > 0) await api.call('deleteBucket', { name: BUCKET })
          const owner = `life-${life}`
          const settings = KINDS.map((kind) => settingOf(kind, owner))
          await api.call('createBucket', { bucket: { name: BUCKET, owner }, settings })
        }
        lives.abort()
      }
      let seen = 0
      const reader = async () => {
        for (let last = false; !last; await new Promise(setImmediate)) {
          last = lives.signal.aborted
          const reply = await api
            .call('getBucketSetting', { name: BUCKET, kinds: [...KINDS] })
            .catch((error: unknown) => {
              assert.ok(error instanceof MetadataError && error.code === FailureCode.NO_SUCH_BUCKET)
            })
          if (reply !== undefined) {
            seen++
            const found = reply.settings.map(markOf)
            assert.deepEqual(
              found,
              KINDS.map(() => reply.bucket?.owner),
            )
          }
        }
      }
      await Promise.all([living(), reader(), reader(), reader()])
      assert.ok(seen >= 3)
    },
  ],
]
