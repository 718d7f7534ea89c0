import assert from 'node:assert/strict'
import { create, equals } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type BlobRecord, BlobRecordSchema, BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import { LIVE, placeOf, resolve, YOUNG } from './metadata-api-blobs.ts'
import type { Case } from './metadata-api.ts'
import {
  complete,
  createBucket,
  garbage,
  newId,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from './metadata-requests.ts'

const step = fc.record({
  kind: fc.constantFrom(
    ...([
      'put',
      'put',
      'put',
      'mark',
      'remove',
      'enable',
      'suspend',
      'begin',
      'part',
      'part',
      'part',
    ] as const),
    ...(['complete', 'complete', 'abort', 'annotate', 'annotate', 'unannotate'] as const),
    ...(['move', 'move', 'recode', 'recode', 'recode'] as const),
  ),
  key: fc.constantFrom('a', 'b'),
  pick: fc.nat(30),
})
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Refusals that mean that another was there first. */
const LATE: ReadonlySet<FailureCode> = new Set([
  FailureCode.NO_SUCH_KEY,
  FailureCode.NO_SUCH_VERSION,
  FailureCode.NO_SUCH_UPLOAD,
  FailureCode.INVALID_PART,
  FailureCode.INVALID_REQUEST,
  FailureCode.METHOD_NOT_ALLOWED,
  FailureCode.CONDITIONAL_CONFLICT,
])

interface Made {
  readonly place: ReturnType<typeof placeOf>
  readonly record: BlobRecord
}

/** One bucket, and every blob that was ever committed to it. */
class History {
  readonly #api: MetadataApi
  readonly bucket: string
  readonly made = new Map<string, Made>()
  readonly #uploads: { readonly key: string; readonly id: string }[] = []

  constructor(api: MetadataApi, bucket: string) {
    this.#api = api
    this.bucket = bucket
  }

  /** A refusal because another step was there first is no failure. */
  async take(todo: Step): Promise<void> {
    try {
      await this.#take(todo)
    } catch (error) {
      if (!(error instanceof MetadataError && LATE.has(error.code))) throw error
    }
  }

  async #take({ kind, key, pick }: Step): Promise<void> {
    const api = this.#api
    const { bucket } = this
    const upload = this.#uploads[pick % Math.max(1, this.#uploads.length)]
    switch (kind) {
      case 'put': {
        const { version, blob } = await put(api, key, { bucket })
        this.#note(placeOf(key, version, blob, { bucket }), blob)
        return
      }
      case 'mark':
        await remove(api, key, { bucket })
        return
      case 'remove':
        await remove(api, key, { bucket, versionId: await this.#versionId(key, pick) })
        return
      case 'enable':
        await setVersioning(api, BucketVersioning.ENABLED, bucket)
        return
      case 'suspend':
        await setVersioning(api, BucketVersioning.SUSPENDED, bucket)
        return
      case 'begin':
        this.#uploads.push({ key, id: await startUpload(api, key, undefined, bucket) })
        return
      case 'part': {
        if (upload === undefined) return
        const part = (pick % 4) + 1
        const { blob } = await putPart(api, upload.key, upload.id, part, 10, bucket)
        this.#note(placeOf(upload.key, upload.id, blob, { bucket, part }), blob)
        return
      }
      case 'complete': {
        if (upload === undefined) return
        const place = { bucket, key: upload.key, uploadId: upload.id }
        const { parts } = await api.call('listParts', { ...place, limit: 10 })
        const some = parts.filter((_, index) => parts.length < 3 || index !== pick % parts.length)
        if (some.length > 0) await complete(api, upload.key, upload.id, some, { bucket })
        return
      }
      case 'abort':
        if (upload === undefined) return
        await api.call('abortUpload', { bucket, key: upload.key, uploadId: upload.id })
        return
      case 'annotate': {
        const versionId = await this.#versionId(key, pick)
        const { object } = await api.call('getObject', { bucket, key, versionId })
        if (object === undefined || object.deleteMarker) return
        const { version } = object
        const name = `n${pick % 2}`
        const blob = { id: newId(), size: 7n, code: 'replica-3', group: 131_072 }
        const annotation = { name, size: 7n, blob }
        await api.call('putAnnotation', { bucket, key, versionId, version, annotation })
        const place = placeOf(key, version, blob, { bucket, annotation: name })
        this.#note(place, create(BlobRecordSchema, blob))
        return
      }
      case 'unannotate': {
        const versionId = await this.#versionId(key, pick)
        await api.call('deleteAnnotation', { bucket, key, versionId, name: `n${pick % 2}` })
        return
      }
      case 'move':
      case 'recode':
        await this.#replace(kind, pick)
    }
  }

  async #replace(kind: 'move' | 'recode', pick: number): Promise<void> {
    const all = [...this.made.values()]
    const one = all[pick % Math.max(1, all.length)]
    if (one === undefined) return
    const { $typeName: _, ...fields } = one.record
    const relocations = [{ shard: 0, firstStripe: 0, stripeCount: 1, node: `n${pick}` }]
    const replacement =
      kind === 'move'
        ? create(BlobRecordSchema, { ...fields, relocations })
        : create(BlobRecordSchema, { id: newId(), size: fields.size, code: 'replica-3', group: 131_073 })
    const request = { place: one.place, expected: one.record, replacement }
    const { replaced } = await this.#api.call('replaceBlob', request)
    if (replaced) this.#note({ ...one.place, blob: replacement.id }, replacement)
  }

  #note(place: Made['place'], record: BlobRecord | undefined): void {
    assert.ok(record !== undefined)
    this.made.set(record.id, { place, record })
  }

  async #versionId(key: string, pick: number): Promise<string> {
    const { versions } = await this.#api.call('listVersions', {
      bucket: this.bucket,
      prefix: key,
      limit: 1000,
    })
    return versions[pick % Math.max(1, versions.length)]?.versionId ?? 'null'
  }

  /** The blobs that clients can reach, as the records have them. */
  async reachable(): Promise<Map<string, BlobRecord>> {
    const api = this.#api
    const { bucket } = this
    const found: (BlobRecord | undefined)[] = []
    const { versions } = await api.call('listVersions', { bucket, limit: 1000 })
    for (const { object: summary, versionId, deleteMarker } of versions) {
      if (deleteMarker) continue
      const key = summary?.key ?? ''
      const { object } = await api.call('getObject', { bucket, key, versionId })
      found.push(object?.blob)
      const pageCount = object?.manifest?.pageOffsets.length ?? 0
      const { pages } = await api.call('getManifest', {
        bucket,
        key,
        version: object?.version ?? '',
        pageCount,
      })
      found.push(...pages.flatMap(({ parts }) => parts.map(({ blob }) => blob)))
      const { annotations } = await api.call('listAnnotations', { bucket, key, versionId, limit: 1000 })
      found.push(...annotations.map(({ blob }) => blob))
    }
    const { uploads } = await api.call('listUploads', { bucket, limit: 1000 })
    for (const { key, uploadId } of uploads) {
      const { parts } = await api.call('listParts', { bucket, key, uploadId, limit: 1000 })
      found.push(...parts.map(({ blob }) => blob))
    }
    return new Map(found.flatMap((blob) => (blob === undefined ? [] : [[blob.id, blob] as const])))
  }

  /** What is said of every blob there ever was: it is live as clients can reach it. */
  async compare(): Promise<ReadonlySet<string>> {
    const live = await this.reachable()
    const all = [...this.made]
    for (let start = 0; start < all.length; start += 7) {
      const some = all.slice(start, start + 7)
      const resolved = await resolve(
        this.#api,
        some.map(([, { place }]) => place),
      )
      for (const [index, { state, blob }] of resolved.entries()) {
        const [id = ''] = some[index] ?? []
        const record = live.get(id)
        assert.equal(state, record === undefined ? YOUNG : LIVE, JSON.stringify(some[index]?.[1].place))
        assert.ok(record === undefined || (blob !== undefined && equals(BlobRecordSchema, blob, record)))
      }
    }
    for (const id of live.keys()) assert.ok(this.made.has(id), `${id} was never committed`)
    return new Set(live.keys())
  }
}

export const blobModelCases: readonly Case[] = [
  [
    'whatever is written, deleted and replaced, one by one or at once, each blob is live where it can be read, or garbage once',
    async (api) => {
      let count = 0
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 5, maxLength: 50 }),
          fc.constantFrom(1, 1, 4),
          async (steps, atOnce) => {
            const bucket = `blobs-${count++}`
            await createBucket(api, bucket, `owner-${bucket}`)
            const history = new History(api, bucket)
            for (let start = 0; start < steps.length; start += atOnce) {
              await Promise.all(steps.slice(start, start + atOnce).map((todo) => history.take(todo)))
              if (start % 16 === 0) await history.compare()
            }
            const live = await history.compare()
            const dead = [...history.made.keys()].filter((id) => !live.has(id)).sort()
            const ours = async () => (await garbage(api)).filter((id) => history.made.has(id))
            // What ended uploads and removed versions left is removed in the background.
            for (let turn = 0; turn < 1000 && (await ours()).length < dead.length; turn++) {
              await new Promise(setImmediate)
            }
            assert.deepEqual(await ours(), dead)
          },
        ),
        { numRuns: 60 },
      )
    },
  ],
]
