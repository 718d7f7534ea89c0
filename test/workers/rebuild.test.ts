/** Metadata is thrown away and made again of the shards alone: every current object reads as it was put. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { rebuildCluster, type RebuildRequest } from '../../cli/fsck/rebuild-cluster.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { defaultPools, startOn } from '../../metadata/main.ts'
import type { RebuildNote } from '../../metadata/rebuild/rebuild.ts'
import { BucketVersioning, ObjectRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createStore, type ClosableStore } from '../../store/store.ts'
import { bytesOf, collect, contentOf, putRequest, seededRandom } from '../../store/testing/harness.ts'
import { homeOf, loseAll, blobOf } from './fsck-damage.ts'
import { check } from './fsck-scene.ts'
import { WholeCluster } from './cluster.ts'

/** A cluster whose metadata was rebuilt. */
interface Rebuilt {
  readonly api: MetadataApi
  readonly store: ClosableStore
  readonly notes: readonly RebuildNote[]
  readonly result: Awaited<ReturnType<typeof rebuildCluster>>
  close(): Promise<void>
}

async function rebuild(cluster: WholeCluster, more: Partial<RebuildRequest> = {}): Promise<Rebuilt> {
  const { clock, shards, nodes } = cluster
  const engine = new MemoryEngine()
  const random = seededRandom(77)
  const notes: RebuildNote[] = []
  const plan = {
    nodes: [...nodes.keys()].map((id) => ({ id, zone: id.slice(0, 1), weight: 1 })),
    pools: defaultPools().map((pool) => ({ ...pool, groups: 8 })),
  }
  const result = await clock.drive(
    rebuildCluster(
      { engine, shards, clock, random },
      {
        clusterId: 'cluster',
        ...plan,
        owner: 'root',
        unversioned: () => false,
        digests: true,
        partBytesMin: 1n,
        signal: new AbortController().signal,
        onNote: (note) => notes.push(note),
        onProgress: () => undefined,
        ...more,
      },
    ),
  )
  const config = {
    dataDirectory: '',
    listen: false,
    host: '',
    port: 0,
    secret: 'secret',
    clusterId: 'cluster',
  }
  const running = await clock.drive(
    startOn(engine, { ...config, engine: 'memory', bootstrap: plan }, { clock, random, log: silentLog }),
  )
  const settings = {
    computeWorkers: 0,
    writeMemoryBytes: 32 * 1024 * 1024,
    readMemoryBytes: 16 * 1024 * 1024,
  }
  const store = createStore({ metadata: running.api, shards, clock, random, log: silentLog, settings })
  // Nodes that are up renew their leases with the new service.
  cluster.metadata = running.api
  const before = cluster.store
  cluster.store = store
  await clock.pass(5000)
  return {
    api: running.api,
    store,
    notes,
    result,
    async close() {
      cluster.store = before
      await clock.drive(store.close())
      await cluster.close()
      await clock.drive(running.close())
    },
  }
}

const SIZES = [1, 5000, 40_000, 300_000, 1_000_000]

for (const seed of [1, 2, 3]) {
  test(`random objects, overwrites, parts and annotations (seed ${seed})`, async () => {
    const cluster = await WholeCluster.start({ seed: 100 + seed })
    const { clock, store, metadata } = cluster
    const dice = seededRandom(seed)
    const roll = (sides: number): number => new DataView(dice.bytes(4).buffer).getUint32(0) % sides
    const contents = new Map<string, { bytes: Uint8Array; etag: string }>()
    await clock.drive(metadata.call('updateBucket', { name: 'bucket', versioning: BucketVersioning.ENABLED }))
    for (let step = 0; step < 30; step++) {
      const key = `key${roll(12)}`
      const bytes = bytesOf(SIZES[roll(SIZES.length)] ?? 1, seed * 1000 + step)
      if (roll(10) === 0) cluster.down.add('b2')
      else if (roll(4) === 0) cluster.down.delete('b2')
      const { etag } = await clock.drive(store.putObject(putRequest(key, contentOf(bytes))))
      contents.set(key, { bytes, etag })
      await clock.pass(10)
    }
    cluster.down.clear()
    await cluster.putParts('parts', [300_000, 5000, 70_000])
    const { notes, api, store: again, result, close } = await rebuild(cluster)
    assert.deepEqual(result.blind, [])
    assert.equal(result.unowned, 0)
    assert.equal(result.counts.unread, 0)
    for (const [key, { bytes, etag }] of contents) {
      const { object } = await clock.drive(api.call('getObject', { bucket: 'bucket', key }))
      assert.equal(object?.etag, etag)
      assert.equal(Number(object.size), bytes.byteLength)
      const range = { start: 0, end: bytes.byteLength }
      const got = await clock.drive(collect(again.readObject(object, range)))
      assert.ok(got.equals(bytes), `${key} reads as it was put`)
    }
    await cluster.assertReadable()
    const several = [...notes].some(({ kind }) => kind === 'versions')
    assert.ok(several)
    const { findings, counts } = await check(cluster, { deep: true })
    assert.deepEqual(
      findings.filter(({ kind }) => kind !== 'degraded'),
      [],
    )
    assert.equal(counts.objects, 31)
    await close()
  })
}

test('what is inferred, and what cannot be known, is told', async () => {
  const cluster = await WholeCluster.start({ seed: 120 })
  const { clock, metadata, store } = cluster
  await cluster.fill('sound', 4)
  const old = await cluster.put('twice', 100_000)
  await clock.pass(1000)
  await cluster.put('twice', 200_000)
  await loseAll(cluster, blobOf(await cluster.put('lost', 300_000)))
  const torn = blobOf(await cluster.put('torn', 300_000))
  for (const shard of [0, 1, 2]) {
    const node = cluster.nodes.get(await homeOf(cluster, torn.group, shard))
    const request = { group: torn.group, blob: torn.id, shards: [{ stripe: 0, shard }], epoch: 1 }
    assert.equal(await clock.drive(node?.deleteShards(request) ?? Promise.resolve(0)), 1)
  }
  const uploadId = 'f'.repeat(32)
  const upload = {
    format: 1,
    bucket: 'bucket',
    key: 'upload',
    uploadId,
    owner: 'owner',
    storageClass: 'STANDARD',
  }
  await clock.drive(metadata.call('createUpload', { upload }))
  const part = { bucket: 'bucket', key: 'upload', uploadId, partNumber: 2, storageClass: 'STANDARD' }
  await clock.drive(store.putPart({ ...part, content: contentOf(bytesOf(9000)) }))
  const empty = await clock.drive(store.putObject(putRequest('empty', contentOf(new Uint8Array()))))
  const note = contentOf(bytesOf(3000, 9))
  await clock.drive(store.putAnnotation({ object: empty, name: 'note', content: note }))
  await clock.drive(store.putObject(putRequest('gone', contentOf(new Uint8Array()))))

  const { notes, api, result, close } = await rebuild(cluster, { unversioned: () => true })
  const told = notes.map(({ kind, key }) => `${kind} ${key ?? ''}`).toSorted()
  assert.deepEqual(told, ['empty empty', 'in-progress upload', 'left-out twice', 'unreadable torn'])
  assert.equal(notes.find(({ kind }) => kind === 'left-out')?.version, old.version)
  assert.equal(result.counts.unread, 1)
  const { parts } = await clock.drive(
    api.call('listParts', { bucket: 'bucket', key: 'upload', uploadId, limit: 9 }),
  )
  assert.deepEqual(
    parts.map(({ partNumber }) => partNumber),
    [2],
  )
  const got = await clock.drive(api.call('getAnnotation', { bucket: 'bucket', key: 'empty', name: 'note' }))
  assert.equal(got.object?.size, 0n)
  const { objects } = await clock.drive(api.call('listObjects', { bucket: 'bucket', limit: 100 }))
  const keys = ['empty', 'sound0', 'sound1', 'sound2', 'sound3', 'torn', 'twice']
  assert.deepEqual(
    objects.map(({ key }) => key),
    keys,
  )
  const { bucket } = await clock.drive(api.call('getBucket', { name: 'bucket' }))
  assert.deepEqual([bucket?.owner, bucket?.versioning], ['root', BucketVersioning.NEVER])
  // Writes go on, with orders and blobs that were never given.
  const record = await clock.drive(cluster.store.putObject(putRequest('twice', contentOf(bytesOf(50)))))
  assert.ok(create(ObjectRecordSchema, record).version > old.version)
  await close()
})
