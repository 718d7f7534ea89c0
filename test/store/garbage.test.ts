/** Garbage collection over real storage nodes and real metadata: what is gone is gone from the disks, what is live is whole. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { createStore } from '../../store/store.ts'
import { bytesOf, collect, contentOf, putRequest } from '../../store/testing/harness.ts'
import { WorkWatch } from '../../workers/cluster/watch.ts'
import { garbageJob } from '../../workers/garbage/job.ts'
import { Runner } from '../../workers/runner/runner.ts'
import { until } from '../contract/metadata-requests.ts'
import { type RealCluster, startCluster, unhurried, world } from './cluster.ts'

const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
const SIZES = [1, 20_000, 300_000, 5 * 1024 * 1024 + 77]

/** Blobs that nodes hold something of, by node. */
async function blobsOn({ metadata, shards }: RealCluster, node: string): Promise<Set<string>> {
  const { map } = await metadata.call('getCluster', {})
  const blobs = new Set<string>()
  for (const group of map?.pools.flatMap((pool) => pool.groups) ?? []) {
    let after: ShardAddress | undefined
    for (;;) {
      const request = { group: group.id, limit: 100, ...(after === undefined ? {} : { after }) }
      const page = await shards.node(node).list(request)
      for (const { address } of page.shards) blobs.add(address.blob)
      after = page.shards.at(-1)?.address
      if (!page.truncated) break
    }
  }
  return blobs
}

test('overwritten, deleted, aborted and left out: their bytes go from every node, and nothing live with them', async (t) => {
  const cluster = await startCluster({ disk: 'files', network: true })
  const { metadata, shards } = cluster
  const store = createStore({ ...unhurried, ...cluster, settings: { computeWorkers: 1 } })
  const watch = new WorkWatch({ metadata, clock: world.clock, log: world.log })
  const closers: (() => Promise<void>)[] = [() => watch.close(), () => store.close(), () => cluster.close()]
  t.after(async () => {
    for (const close of closers) await close()
  })
  const put = async (key: string, size: number, seed: number) => {
    const bytes = bytesOf(size, seed)
    return { bytes, record: await store.putObject(putRequest(key, contentOf(bytes))) }
  }
  const live = []
  for (const [index, size] of SIZES.entries()) {
    await put(`overwritten-${index}`, size, 1)
    live.push(await put(`overwritten-${index}`, size, 2))
    live.push(await put(`kept-${index}`, size, 3))
    await put(`deleted-${index}`, size, 4)
    await metadata.call('deleteObject', { bucket: 'bucket', key: `deleted-${index}` })
  }
  const begin = async (key: string): Promise<string> => {
    const uploadId = newIdentifier(world.clock, world.random)
    const upload = { bucket: 'bucket', key, uploadId, storageClass: 'STANDARD', owner: 'owner' }
    await metadata.call('createUpload', { upload })
    return uploadId
  }
  const putPart = (key: string, uploadId: string, partNumber: number, bytes: Uint8Array) => {
    const content = contentOf(bytes)
    return store.putPart({ bucket: 'bucket', key, uploadId, partNumber, storageClass: 'STANDARD', content })
  }
  const aborted = await begin('aborted')
  for (const number of [1, 2]) await putPart('aborted', aborted, number, bytesOf(100_000, number))
  await metadata.call('abortUpload', { bucket: 'bucket', key: 'aborted', uploadId: aborted })
  const uploadId = await begin('whole')
  await putPart('whole', uploadId, 1, bytesOf(50_000, 1))
  const parts = []
  const pieces = [1, 2, 3].map((number) => bytesOf(200_000, 10 + number))
  for (const [index, piece] of pieces.entries()) {
    parts.push(await putPart('whole', uploadId, index + 1, piece))
  }
  await putPart('whole', uploadId, 4, bytesOf(60_000, 5))
  const listed = parts.map(({ partNumber, etag }) => ({ partNumber, etag }))
  const whole = await metadata.call('completeUpload', {
    bucket: 'bucket',
    key: 'whole',
    uploadId,
    parts: listed,
    etag: 'e',
  })
  const [noted] = live
  assert.ok(noted !== undefined && whole.object !== undefined)
  const note = (name: string, seed: number) =>
    store.putAnnotation({ object: noted.record, name, content: contentOf(bytesOf(3000, seed)) })
  await note('replaced', 1)
  const kept = await note('replaced', 2)
  await note('gone', 3)
  await metadata.call('deleteAnnotation', { bucket: 'bucket', key: noted.record.key, name: 'gone' })

  const named = [
    ...live.map(({ record }) => record.blob),
    ...parts.map(({ blob }) => blob),
    kept.annotation.blob,
  ]
  const wanted = new Set(named.map((blob) => blob?.id))
  const before = await Promise.all(NODES.map((node) => blobsOn(cluster, node)))
  assert.ok(before.some((blobs) => blobs.size > wanted.size))
  const job = garbageJob({ metadata, shards, clock: world.clock, log: world.log, watch, graceMs: 0 })
  const runner = new Runner({ ...world, metadata, holder: 'worker' }, [job])
  closers.unshift(() => runner.close())
  await until(async () => (await metadata.call('getCluster', {})).outboxBacklog === 0n)

  const after = await Promise.all(NODES.map((node) => blobsOn(cluster, node)))
  for (const [index, blobs] of after.entries()) {
    for (const blob of blobs) assert.ok(wanted.has(blob), `${blob} stays on ${NODES[index] ?? ''}`)
    for (const blob of before[index] ?? []) {
      assert.ok(!wanted.has(blob) || blobs.has(blob), `${blob} is gone`)
    }
  }
  for (const { record, bytes } of live) {
    assert.ok((await collect(store.readObject(record, { start: 0, end: bytes.length }))).equals(bytes))
  }
  const all = Buffer.concat(pieces)
  assert.ok((await collect(store.readObject(whole.object, { start: 0, end: all.length }))).equals(all))
  const text = await collect(store.readAnnotation(kept.object, kept.annotation))
  assert.ok(text.equals(bytesOf(3000, 2)))
})
