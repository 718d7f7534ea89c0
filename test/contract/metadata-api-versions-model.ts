import assert from 'node:assert/strict'
import fc from 'fast-check'
import { versionIdOf } from '../../core/records/version-id.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Case } from './metadata-api.ts'
import {
  complete,
  createBucket,
  get,
  getVersion,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from './metadata-requests.ts'
import { type ModelVersion, VersionModel, type Versioning } from './metadata-version-model.ts'

const VERSIONING: Record<Versioning, BucketVersioning> = {
  never: BucketVersioning.NEVER,
  enabled: BucketVersioning.ENABLED,
  suspended: BucketVersioning.SUSPENDED,
}

// One is a common prefix of others, and two sort the other way round in UTF-16.
const KEYS = ['a', 'a/', 'a/b', 'a/b\0', 'é', '\uffee', '\u{1F600}']

/** Steps over a few of the keys, or over one, so that versions pile up. */
function stepsOver(keys: readonly string[]) {
  const key = fc.constantFrom(...keys)
  const pick = fc.oneof(fc.constant(0), fc.nat(9))
  const to = fc.constantFrom('enabled' as const, 'suspended' as const)
  return fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), key }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('complete' as const), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('tag' as const), key, pick }) },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('delete-version' as const), key, pick }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('versioning' as const), to }) },
    ),
    { minLength: 1, maxLength: 60 },
  )
}
const steps = fc
  .oneof(fc.subarray(KEYS, { minLength: 1, maxLength: 2 }), fc.constant(KEYS))
  .chain((keys) => stepsOver(keys))
type Step = typeof steps extends fc.Arbitrary<(infer T)[]> ? T : never

const listing = fc.record({
  prefix: fc.constantFrom('', '', 'a', 'a/', 'a/b', 'b'),
  delimiter: fc.constantFrom('', '', '/', 'b', '\0'),
  limit: fc.constantFrom(1, 2, 3, 1000),
})

/** One bucket with its model beside it. */
class Pair {
  readonly #api: MetadataApi
  readonly #bucket: string
  readonly model = new VersionModel()
  /** Every version id that ever was. */
  readonly #ids = new Map<string, Set<string>>()

  constructor(api: MetadataApi, bucket: string) {
    this.#api = api
    this.#bucket = bucket
  }

  async run(todo: Step): Promise<void> {
    const { model } = this
    const api = this.#api
    const bucket = this.#bucket
    switch (todo.kind) {
      case 'versioning':
        await setVersioning(api, VERSIONING[todo.to], bucket)
        model.versioning = todo.to
        return
      case 'put': {
        const object = await put(api, todo.key, { bucket })
        this.#add(todo.key, { etag: object.etag, blobs: [object.blob?.id ?? ''] }, versionIdOf(object))
        return
      }
      case 'complete': {
        const upload = await startUpload(api, todo.key, undefined, bucket)
        const parts = []
        for (const number of [1, 2, 3]) parts.push(await putPart(api, todo.key, upload, number, 10, bucket))
        const [first, unused, third] = parts
        assert.ok(first !== undefined && unused !== undefined && third !== undefined)
        const more = { bucket, etag: `whole-${upload}` }
        const object = await complete(api, todo.key, upload, [first, third], more)
        const again = await complete(api, todo.key, upload, [first, third], more)
        assert.equal(versionIdOf(again), versionIdOf(object))
        model.garbage.add(unused.blob?.id ?? '')
        const blobs = [first, third].map((part) => part.blob?.id ?? '')
        this.#add(todo.key, { etag: object.etag, blobs }, versionIdOf(object))
        return
      }
      case 'delete': {
        const existed = model.current(todo.key) !== undefined
        const reply = await remove(api, todo.key, { bucket })
        assert.equal(reply.existed, existed)
        assert.equal(reply.deleteMarker, model.versioning !== 'never')
        const id = model.versioning === 'never' ? 'null' : reply.versionId
        this.#add(todo.key, { etag: '', blobs: [] }, id)
        return
      }
      case 'delete-version': {
        const id = this.#pick(todo)
        const found = model.find(todo.key, id)
        const reply = await remove(api, todo.key, { bucket, versionId: id })
        assert.equal(reply.existed, found !== undefined)
        assert.equal(reply.deleteMarker, found?.marker === true)
        assert.equal(reply.versionId, model.versioning === 'never' ? '' : id)
        model.remove(todo.key, id)
        return
      }
      case 'tag': {
        const id = this.#pick(todo)
        const found = model.find(todo.key, id)
        const tags = { tags: [{ key: 'k', value: id }] }
        const update = api.call('updateObject', { bucket, key: todo.key, versionId: id, tags })
        if (found?.marker === false) assert.deepEqual((await update).object?.tags[0]?.value, id)
        else await assert.rejects(update)
      }
    }
  }

  #add(name: string, { etag, blobs }: Pick<ModelVersion, 'etag' | 'blobs'>, id: string): void {
    const known = this.#ids.get(name) ?? new Set()
    this.#ids.set(name, known)
    assert.equal(id === 'null', this.model.versioning !== 'enabled')
    assert.ok(id === 'null' || !known.has(id), 'an id is given once')
    known.add(id)
    this.model.add(name, { id, etag, blobs, marker: etag === '' })
  }

  /** A version that was there at some time, or the null version. */
  #pick({ key: name, pick }: { key: string; pick: number }): string {
    const ids = ['null', ...(this.#ids.get(name) ?? [])]
    return ids[pick % ids.length] ?? 'null'
  }

  /** What a client can see is what the model says. */
  async compare(): Promise<void> {
    const { model } = this
    for (const name of KEYS) {
      assert.equal((await get(this.#api, name, this.#bucket))?.etag, model.current(name)?.etag)
      for (const id of ['null', ...(this.#ids.get(name) ?? [])]) {
        const record = await getVersion(this.#api, name, id, this.#bucket)
        const wanted = model.find(name, id)
        assert.deepEqual(
          record && [versionIdOf(record), record.etag, record.deleteMarker],
          wanted && [wanted.id, wanted.etag, wanted.marker],
        )
      }
    }
    const { objects } = await this.#api.call('listObjects', { bucket: this.#bucket, limit: 1000 })
    assert.deepEqual(
      objects.map((object) => object.key),
      model.objects(),
    )
  }

  async list(request: { prefix: string; delimiter: string; limit: number }): Promise<string[]> {
    const entries: string[] = []
    let markers = { keyMarker: '', versionIdMarker: '' }
    for (;;) {
      const page = await this.#api.call('listVersions', { bucket: this.#bucket, ...request, ...markers })
      const versions = page.versions.map(({ object, versionId, latest, deleteMarker }) => ({
        name: object?.key ?? '',
        text: `${object?.key ?? ''} ${versionId}${latest ? '*' : ''}${deleteMarker ? '-' : ''}`,
      }))
      const prefixes = page.commonPrefixes.map((name) => ({ name, text: name }))
      assert.ok(versions.length + prefixes.length <= request.limit)
      entries.push(...interleaved(versions, prefixes))
      if (!page.truncated) return entries
      assert.equal(versions.length + prefixes.length, request.limit)
      markers = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    }
  }
}

interface Named {
  readonly name: string
  readonly text: string
}

/** Versions and common prefixes in one order; both are in order already. */
function interleaved(versions: readonly Named[], prefixes: readonly Named[]): string[] {
  const all = [...versions, ...prefixes].map((one) => ({ ...one, bytes: Buffer.from(one.name) }))
  return all.sort((left, right) => left.bytes.compare(right.bytes)).map(({ text }) => text)
}

/** All that the outbox says is garbage, sorted; and takes it out. */
async function takeGarbage(api: MetadataApi): Promise<string[]> {
  const { records } = await api.call('readOutbox', { limit: 1000 })
  await api.call('acknowledgeOutbox', { sequences: records.map(({ sequence }) => sequence) })
  return records
    .flatMap(({ task }) => (task.case === 'garbage' ? task.value.blobs.map(({ id }) => id) : []))
    .sort()
}

export const versionModelCases: readonly Case[] = [
  [
    'whatever is put, completed, deleted, tagged and switched, versions are those of the model, and so is the garbage',
    async (api) => {
      let count = 0
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('never' as const, 'enabled' as const, 'suspended' as const),
          steps,
          fc.array(listing, { minLength: 1, maxLength: 4 }),
          async (versioning, todos, listings) => {
            const bucket = `versions-${count++}`
            await createBucket(api, bucket, `owner-${bucket}`)
            const pair = new Pair(api, bucket)
            if (versioning !== 'never') await pair.run({ kind: 'versioning', to: versioning })
            for (const [index, todo] of todos.entries()) {
              await pair.run(todo)
              if (index % 7 === 0) await pair.compare()
            }
            await pair.compare()
            for (const request of listings) {
              assert.deepEqual(await pair.list(request), pair.model.list(request))
            }
            assert.deepEqual(await takeGarbage(api), [...pair.model.garbage].sort())
            if (pair.model.keys.size > 0) await assert.rejects(api.call('deleteBucket', { name: bucket }))
            else await api.call('deleteBucket', { name: bucket })
          },
        ),
        { numRuns: 120 },
      )
    },
  ],
]
