import assert from 'node:assert/strict'
import { create } from '@bufbuild/protobuf'
import { REPAIR_REQUESTS_MAX } from '../../core/limits.ts'
import { FailureCode, OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type BlobRecord,
  BlobRecordSchema,
  type OutboxRecord,
  type RepairTask,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { annotate } from './metadata-api-annotations.ts'
import type { Case } from './metadata-api.ts'
import {
  BUCKET,
  createBucket,
  failsWith,
  newId,
  objectInit,
  put,
  putPart,
  remove,
  startUpload,
} from './metadata-requests.ts'

/** A blob of a degraded write, and its object. */
async function putDegraded(api: MetadataApi, key: string): Promise<string> {
  const object = objectInit(key)
  const blob = create(BlobRecordSchema, { id: object.blob?.id ?? '', size: 5n, group: 65_536 })
  const repairs = [{ bucket: BUCKET, key, version: object.version ?? '', blob }]
  await api.call('commitObject', { object, repairs })
  return blob.id
}

/** Everything of a kind, in pages of that size. */
async function readAll(api: MetadataApi, kind: OutboxKind, limit: number): Promise<OutboxRecord[]> {
  const all: OutboxRecord[] = []
  for (;;) {
    const after = all.at(-1)?.sequence ?? 0n
    const { records, nowMs } = await api.call('readOutbox', { after, limit, kind })
    assert.ok(records.length <= limit)
    for (const { sequence, createdMs } of records) {
      assert.ok(sequence > (all.at(-1)?.sequence ?? 0n))
      assert.ok(createdMs <= nowMs)
    }
    all.push(...records)
    if (records.length === 0) return all
  }
}

async function repairsOf(api: MetadataApi): Promise<RepairTask[]> {
  const records = await readAll(api, OutboxKind.REPAIR, 1000)
  return records.flatMap(({ task }) => (task.case === 'repair' ? [task.value] : []))
}

/** What a reader that knows only the record it read asks for. */
function taskOf(
  key: string,
  version: string,
  blob: BlobRecord | undefined,
  more: { readonly part?: number; readonly annotation?: string } = {},
) {
  return { bucket: BUCKET, key, version, blob: create(BlobRecordSchema, { id: blob?.id ?? '' }), ...more }
}

export const outboxCases: readonly Case[] = [
  [
    'each kind of task is read by itself or with the others, in pages of any size, in order and once',
    async (api) => {
      await createBucket(api)
      for (let count = 0; count < 40; count++) {
        const key = `k${count % 3}`
        if (count % 7 < 2) await putDegraded(api, key)
        else await put(api, key)
      }
      const all = await readAll(api, OutboxKind.ANY, 1000)
      assert.equal(all.filter(({ task }) => task.case === 'garbage').length, 37)
      assert.equal(all.filter(({ task }) => task.case === 'repair').length, 12)
      for (const limit of [1, 2, 31, 32, 33]) {
        for (const [kind, which] of [
          [OutboxKind.ANY, undefined],
          [OutboxKind.GARBAGE, 'garbage'],
          [OutboxKind.REPAIR, 'repair'],
        ] as const) {
          const wanted = all.filter(({ task }) => which === undefined || task.case === which)
          const found = await readAll(api, kind, limit)
          assert.deepEqual(
            found.map(({ sequence }) => sequence),
            wanted.map(({ sequence }) => sequence),
            `${which ?? 'any'} ${limit}`,
          )
        }
      }
      await api.call('acknowledgeOutbox', { sequences: all.slice(0, 30).map(({ sequence }) => sequence) })
      assert.deepEqual(
        (await readAll(api, OutboxKind.ANY, 7)).map(({ sequence }) => sequence),
        all.slice(30).map(({ sequence }) => sequence),
      )
      const left = all.slice(30).filter(({ task }) => task.case === 'repair').length
      const { outboxBacklog, repairBacklog } = await api.call('getCluster', {})
      assert.deepEqual([outboxBacklog, repairBacklog], [BigInt(all.length - 30), BigInt(left)])
    },
  ],
  [
    'repairs that are asked for are queued once, with the blob as its record has it',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const task = taskOf('k', version, blob)
      const ask = async (...tasks: ReturnType<typeof taskOf>[]) =>
        (await api.call('requestRepair', { tasks })).queued
      const first = await Promise.all([1, 2, 3].map(() => ask(task, task)))
      assert.equal(
        first.reduce((sum, queued) => sum + queued, 0),
        1,
      )
      assert.equal(await ask(task), 0)
      const counts = await Promise.all([1, 2, 3].map(() => ask(task)))
      assert.deepEqual(counts, [0, 0, 0])
      const [queued, ...others] = await repairsOf(api)
      assert.equal(others.length, 0)
      assert.deepEqual(queued?.blob, blob)
      assert.deepEqual(
        [queued?.key, queued?.version, queued?.part, queued?.annotation],
        ['k', version, 0, ''],
      )
      const [record] = await readAll(api, OutboxKind.REPAIR, 10)
      await api.call('acknowledgeOutbox', { sequences: [record?.sequence ?? 0n] })
      assert.equal(await ask(task), 1, 'it is done, and may be needed again')
    },
  ],
  [
    'a repair that a write owes is not queued again',
    async (api) => {
      await createBucket(api)
      const id = await putDegraded(api, 'k')
      const { object } = await api.call('getObject', { bucket: BUCKET, key: 'k' })
      const task = taskOf('k', object?.version ?? '', create(BlobRecordSchema, { id }))
      assert.equal((await api.call('requestRepair', { tasks: [task] })).queued, 0)
      assert.equal((await repairsOf(api)).length, 1)
    },
  ],
  [
    'repairs of parts and annotations are queued as such, and of what no record names not at all',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const note = await annotate(api, 'k', 'n')
      const upload = await startUpload(api, 'k')
      const part = await putPart(api, 'k', upload, 3)
      const gone = await put(api, 'gone')
      await remove(api, 'gone')
      const tasks = [
        taskOf('gone', gone.version, gone.blob),
        taskOf('k', version, note.blob, { annotation: 'n' }),
        taskOf('k', version, create(BlobRecordSchema, { id: newId() })),
        taskOf('k', upload, part.blob, { part: 3 }),
        taskOf('k', upload, blob),
      ]
      assert.equal((await api.call('requestRepair', { tasks })).queued, 2)
      assert.deepEqual(
        (await repairsOf(api)).map(({ annotation, part: number }) => [annotation, number]),
        [
          ['n', 0],
          ['', 3],
        ],
      )
    },
  ],
  [
    'requests for repairs that make no sense are refused',
    async (api) => {
      await createBucket(api)
      const { version, blob } = await put(api, 'k')
      const tasks = Array.from({ length: REPAIR_REQUESTS_MAX + 1 }, () => taskOf('k', version, blob))
      const { INVALID_REQUEST } = FailureCode
      await failsWith(api.call('requestRepair', { tasks }), INVALID_REQUEST)
      assert.equal((await api.call('requestRepair', { tasks: tasks.slice(1) })).queued, 1)
      const { blob: _, ...none } = taskOf('k', version, blob)
      await failsWith(api.call('requestRepair', { tasks: [none] }), INVALID_REQUEST)
    },
  ],
]
