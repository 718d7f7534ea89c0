import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { startOn } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import {
  BUCKET,
  complete,
  createBucket,
  newId,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { assertStructure, watched } from './version-structure.ts'

const { ENABLED, SUSPENDED } = BucketVersioning

const step = fc.record({
  kind: fc.constantFrom(
    ...(['put', 'put', 'mark', 'mark', 'remove', 'remove', 'remove', 'complete'] as const),
    ...(['annotate', 'annotate', 'unannotate', 'tag', 'enable', 'suspend'] as const),
  ),
  key: fc.constantFrom('a', 'b'),
  pick: fc.nat(4),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const newBlob = () => ({ id: newId(), size: 5n, code: 'rs-4-2', group: 65_536 })

/** Refusals that mean that another was there first. */
const LATE: ReadonlySet<FailureCode> = new Set([
  FailureCode.NO_SUCH_KEY,
  FailureCode.NO_SUCH_VERSION,
  FailureCode.METHOD_NOT_ALLOWED,
  FailureCode.CONDITIONAL_CONFLICT,
  FailureCode.TOO_MANY_ANNOTATIONS,
])

async function take(api: MetadataApi, { kind, key, pick }: Step): Promise<void> {
  const { versions } = await api.call('listVersions', { bucket: BUCKET, prefix: key, limit: 1000 })
  const versionId = versions[pick % Math.max(1, versions.length)]?.versionId ?? 'null'
  const named = { bucket: BUCKET, key, versionId }
  const name = `n${pick % 2}`
  switch (kind) {
    case 'put':
      await put(api, key)
      return
    case 'mark':
      await remove(api, key)
      return
    case 'remove':
      await remove(api, key, { versionId })
      return
    case 'complete': {
      const upload = await startUpload(api, key)
      const part = await putPart(api, key, upload, 1)
      await complete(api, key, upload, [part])
      return
    }
    case 'annotate': {
      const { object } = await api.call('getObject', named)
      const annotation = { name, size: 5n, etag: 'e', blob: newBlob() }
      await api.call('putAnnotation', {
        ...named,
        annotation,
        limitPerObject: 2,
        version: object?.version ?? '',
      })
      return
    }
    case 'unannotate':
      await api.call('deleteAnnotation', { ...named, name })
      return
    case 'tag':
      await api.call('updateObject', { ...named, tags: { tags: [{ key: 'k', value: name }] } })
      return
    case 'enable':
      await setVersioning(api, ENABLED)
      return
    case 'suspend':
      await setVersioning(api, SUSPENDED)
  }
}

async function run(api: MetadataApi, steps: readonly Step[]): Promise<void> {
  for (const one of steps) {
    try {
      await take(api, one)
    } catch (error) {
      if (!(error instanceof MetadataError) || !LATE.has(error.code)) throw error
    }
  }
}

test('whatever is done at once, each batch leaves versions, pointers, annotations and garbage in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 14 }), { minLength: 1, maxLength: 4 }),
      async (lanes) => {
        const memory = new MemoryEngine()
        let broken: unknown
        const engine = watched(memory, async () => {
          try {
            await assertStructure(memory)
          } catch (error) {
            broken ??= error
          }
        })
        const { api, close } = await startOn(engine, metadataConfig(), world)
        await createBucket(api)
        await Promise.all(lanes.map((lane) => run(api, lane)))
        await close()
        assert.ifError(broken)
      },
    ),
    { numRuns: 200 },
  )
})
