import assert from 'node:assert/strict'
import fc from 'fast-check'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { AnnotationRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi, MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import { BUCKET, createBucket, failsWith, garbage, get, newId, put } from './metadata-requests.ts'

const LIMIT = 5

/** Puts an annotation with a blob of its own. */
export async function annotate(
  api: MetadataApi,
  key: string,
  name: string,
  more: Partial<MetadataRequestInit<'putAnnotation'>> = {},
): Promise<AnnotationRecord> {
  const id = newId()
  const version = (await get(api, key).catch(() => undefined))?.version ?? '0'.repeat(32)
  const request = {
    bucket: BUCKET,
    key,
    annotation: {
      name,
      size: 7n,
      etag: `etag-${id}`,
      checksums: [{ algorithm: 'CRC64NVME', value: `crc-${id}`, type: 'FULL_OBJECT' }],
      blob: { id, size: 7n, code: 'replica-3', group: 65_536 },
    },
    limitPerObject: LIMIT,
    version,
    ...more,
  }
  const { annotation } = await api.call('putAnnotation', request as MetadataRequestInit<'putAnnotation'>)
  assert.ok(annotation !== undefined)
  return annotation
}

export async function listAnnotations(
  api: MetadataApi,
  key: string,
  more: Partial<MetadataRequestInit<'listAnnotations'>> = {},
) {
  const request = { bucket: BUCKET, key, limit: 100, ...more } as MetadataRequestInit<'listAnnotations'>
  const { annotations, truncated, object } = await api.call('listAnnotations', request)
  return { names: annotations.map(({ name }) => name), truncated, count: object?.annotationCount }
}

export const blobOf = ({ blob }: AnnotationRecord): string => blob?.id ?? ''

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '.', '\0', 'é', '\uffee', '\u{1F600}'),
  minLength: 1,
  maxLength: 4,
})
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ put: name }) },
  fc.record({ remove: name }),
  fc.record({
    prefix: fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 2 }),
    after: fc.oneof(fc.constant(''), name),
    limit: fc.integer({ min: 0, max: 4 }),
  }),
)

export const annotationCases: readonly Case[] = [
  [
    'an annotation is put, read, replaced and deleted; the object counts it and stays as it is',
    async (api) => {
      await createBucket(api)
      const before = await put(api, 'k')
      const first = await annotate(api, 'k', 'ml.label')
      assert.ok(first.lastModifiedMs > 0n)
      const found = await api.call('getAnnotation', { bucket: BUCKET, key: 'k', name: 'ml.label' })
      assert.deepEqual(found.annotation, first)
      assert.deepEqual(found.object, { ...before, annotationCount: 1 })
      assert.deepEqual(await get(api, 'k'), { ...before, annotationCount: 1 })
      const second = await annotate(api, 'k', 'ml.label')
      assert.deepEqual(await listAnnotations(api, 'k'), { names: ['ml.label'], truncated: false, count: 1 })
      assert.deepEqual(await garbage(api), [blobOf(first)])
      const remove = { bucket: BUCKET, key: 'k', name: 'ml.label' }
      const { existed, object } = await api.call('deleteAnnotation', remove)
      assert.deepEqual([existed, object?.annotationCount], [true, 0])
      assert.equal((await api.call('deleteAnnotation', remove)).existed, false)
      assert.deepEqual(await garbage(api), [blobOf(first), blobOf(second)].sort())
      await failsWith(api.call('getAnnotation', remove), FailureCode.NO_SUCH_ANNOTATION)
      assert.deepEqual(await get(api, 'k'), before)
    },
  ],
  [
    'what is asked of no object, of a version that is not there, or of a bucket that is not there, is refused',
    async (api) => {
      const { NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION } = FailureCode
      await failsWith(annotate(api, 'k', 'a'), NO_SUCH_BUCKET)
      await createBucket(api)
      const place = { bucket: BUCKET, key: 'k', name: 'a' }
      const everything = (versionId: string) => [
        () => annotate(api, 'k', 'a', { versionId }),
        () => api.call('getAnnotation', { ...place, versionId }),
        () => api.call('deleteAnnotation', { ...place, versionId }),
        () => api.call('listAnnotations', { bucket: BUCKET, key: 'k', versionId, limit: 1 }),
      ]
      for (const ask of everything('')) await failsWith(ask(), NO_SUCH_KEY)
      await put(api, 'k')
      for (const ask of everything('A'.repeat(32))) await failsWith(ask(), NO_SUCH_VERSION)
      await annotate(api, 'k', 'a', { versionId: 'null' })
      assert.deepEqual(await listAnnotations(api, 'k', { versionId: 'null' }), {
        names: ['a'],
        truncated: false,
        count: 1,
      })
    },
  ],
  [
    "a condition is on the object's ETag",
    async (api) => {
      await createBucket(api)
      const { etag } = await put(api, 'k')
      await annotate(api, 'k', 'a', { ifMatch: etag })
      await annotate(api, 'k', 'b', { ifMatch: '*' })
      await failsWith(annotate(api, 'k', 'c', { ifMatch: 'other' }), FailureCode.PRECONDITION_FAILED)
      const remove = { bucket: BUCKET, key: 'k', name: 'a' }
      const refused = api.call('deleteAnnotation', { ...remove, ifMatch: 'other' })
      await failsWith(refused, FailureCode.PRECONDITION_FAILED)
      assert.deepEqual((await listAnnotations(api, 'k')).names, ['a', 'b'])
      assert.equal((await api.call('deleteAnnotation', { ...remove, ifMatch: etag })).existed, true)
      assert.deepEqual((await listAnnotations(api, 'k')).names, ['b'])
    },
  ],
  [
    'an object has no more annotations than its limit, however many are put at once; one may be replaced',
    async (api) => {
      await createBucket(api)
      await put(api, 'k')
      const outcomes = await Promise.allSettled(
        Array.from({ length: 12 }, (_, index) => annotate(api, 'k', `n${index}`)),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, LIMIT)
      const { names, count } = await listAnnotations(api, 'k')
      assert.deepEqual([names.length, count], [LIMIT, LIMIT])
      await failsWith(annotate(api, 'k', 'more'), FailureCode.TOO_MANY_ANNOTATIONS)
      await annotate(api, 'k', names[0] ?? '')
    },
  ],
  [
    'an annotation whose shards were written for another version of the object is a conflict',
    async (api) => {
      await createBucket(api)
      const { version } = await put(api, 'k')
      await put(api, 'k')
      await failsWith(annotate(api, 'k', 'a', { version }), FailureCode.CONDITIONAL_CONFLICT)
      assert.deepEqual(await listAnnotations(api, 'k'), { names: [], truncated: false, count: 0 })
    },
  ],
  [
    'the same put again, its answer lost, is answered the same and makes nothing garbage',
    async (api) => {
      await createBucket(api)
      await put(api, 'k')
      const first = await annotate(api, 'k', 'a')
      const { $typeName: _, ...annotation } = first
      assert.deepEqual(await annotate(api, 'k', 'a', { annotation }), first)
      assert.deepEqual(await garbage(api), [])
      assert.equal((await listAnnotations(api, 'k')).count, 1)
    },
  ],
  [
    'what is no annotation is refused',
    async (api) => {
      await createBucket(api)
      const { version } = await put(api, 'k')
      const blob = { id: newId(), size: 7n, code: 'replica-3', group: 65_536 }
      for (const annotation of [
        { name: '', size: 7n, blob },
        { name: 'n'.repeat(513), size: 7n, blob },
        { name: 'n', size: 8n, blob },
        { name: 'n', size: 0n },
        { name: 'n', size: 1_048_577n, blob: { ...blob, size: 1_048_577n } },
      ]) {
        const request = {
          bucket: BUCKET,
          key: 'k',
          annotation,
          version,
        } as MetadataRequestInit<'putAnnotation'>
        await failsWith(api.call('putAnnotation', request), FailureCode.INVALID_REQUEST)
      }
      assert.deepEqual((await listAnnotations(api, 'k')).names, [])
    },
  ],
  [
    'the repairs that an annotation owes are queued with it',
    async (api) => {
      await createBucket(api)
      const { version } = await put(api, 'k')
      const blob = { id: newId(), size: 7n, code: 'replica-3', group: 65_536 }
      const repairs = [{ bucket: BUCKET, key: 'k', version, blob }]
      await annotate(api, 'k', 'a', { repairs })
      const { records } = await api.call('readOutbox', { limit: 10 })
      const [task] = records.map((record) => record.task)
      assert.ok(task?.case === 'repair')
      assert.equal(task.value.blob?.id, blob.id)
    },
  ],
  [
    'any sequence of puts, deletes and pages agrees with a sorted map',
    async (api) => {
      await createBucket(api)
      let count = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const key = `k${count++}`
          await put(api, key)
          const model = new Set<string>()
          for (const one of steps) {
            if ('put' in one) {
              await annotate(api, key, one.put, { limitPerObject: 1000 })
              model.add(one.put)
            } else if ('remove' in one) {
              const { existed } = await api.call('deleteAnnotation', {
                bucket: BUCKET,
                key,
                name: one.remove,
              })
              assert.equal(existed, model.delete(one.remove))
            } else {
              const { prefix, after, limit } = one
              const rest = [...model]
                .sort(compareUtf8)
                .filter((each) => each.startsWith(prefix) && compareUtf8(each, after) > 0)
              assert.deepEqual(await listAnnotations(api, key, one), {
                names: rest.slice(0, limit),
                truncated: limit > 0 && rest.length > limit,
                count: model.size,
              })
            }
          }
        }),
        { numRuns: 40 },
      )
    },
  ],
]
