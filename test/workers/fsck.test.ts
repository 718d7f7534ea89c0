/** A check of metadata against shards: a sound cluster is clean, and each kind of disagreement is found and named. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkEvents, type FsckEvent } from '../../cli/fsck/events.ts'
import {
  BACKGROUND_BUSY_REQUESTS,
  BACKGROUND_READ_BYTES_PER_SECOND_MIN,
  BLOB_ORPHAN_AGE_MS_MIN,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import {
  type GetShard,
  ShardError,
  type ShardService,
  type ShardTransport,
} from '../../proto/shard-transport.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { seededRandom } from '../../store/testing/harness.ts'
import type { ReadingProgress } from '../../workers/fsck/reading.ts'
import { check, kindsOf } from './fsck-scene.ts'
import { WholeCluster } from './cluster.ts'

async function scene(seed: number): Promise<WholeCluster> {
  const cluster = await WholeCluster.start({ seed })
  await cluster.fill('key', 8)
  await cluster.putParts('parts', [200_000, 30_000])
  return cluster
}

test('a sound cluster is clean, and everything in it is counted', async () => {
  const cluster = await scene(1)
  const checked = await check(cluster)
  assert.deepEqual(checked.findings, [])
  assert.deepEqual(checked.blind, [])
  const { counts } = checked
  assert.equal(counts.objects, 9)
  assert.equal(counts.annotations, 1)
  assert.equal(counts.recordBlobs, 11)
  assert.equal(counts.nodeBlobs, 11)
  assert.equal(counts.young + counts.garbage, 0)
  await cluster.close()
})

test('metadata that refuses for load is asked again, and nothing is left out', async () => {
  const cluster = await scene(6)
  const { metadata, shards, clock, store } = cluster
  let asked = 0
  const busy: MetadataApi = {
    call(operation, request, signal) {
      asked++
      if (asked % 3 === 0) return metadata.call(operation, request, signal)
      return Promise.reject(new MetadataError(FailureCode.SLOW_DOWN, 'too much to do'))
    },
  }
  const { findings, blind, counts } = await check({ metadata: busy, shards, clock, store }, { deep: true })
  assert.deepEqual([findings, blind], [[], []])
  assert.deepEqual([counts.objects, counts.objectsRead], [9, 9])
  const ending = new AbortController()
  const refused = check(
    {
      metadata: { call: () => Promise.reject(new MetadataError(FailureCode.SLOW_DOWN, 'always')) },
      shards,
      clock,
      store,
    },
    { signal: ending.signal },
  )
  ending.abort(new Error('no longer wanted'))
  await assert.rejects(refused, /no longer wanted/)
  await cluster.close()
})

test('a node that is down makes nothing a disagreement, and is told', async () => {
  const cluster = await scene(2)
  cluster.down.add('a1')
  await cluster.clock.pass(10_000)
  const { findings, blind, counts } = await check(cluster)
  assert.deepEqual(findings, [])
  assert.deepEqual(blind, [{ what: 'node a1', why: 'it is down' }])
  assert.ok(counts.unseenShards > 0)
  await cluster.close()
})

test('deep says of which node it could not read shards, and goes by the newest map', async () => {
  const cluster = await scene(7)
  const { metadata, clock, store, nodes } = cluster
  let isStale = true
  const reading = (id: string, get: ShardService['get']) =>
    createInProcessShardTransport((node) => {
      const service = nodes.get(node)
      return service === undefined || node !== id ? service : withGet(service, get)
    })
  const hanging = reading('a1', () => Promise.reject(new ShardError('unavailable', 'the node hung up')))
  const missed = await check({ metadata, shards: hanging, clock, store }, { deep: true })
  assert.deepEqual(missed.findings, [])
  assert.deepEqual(missed.blind, [{ what: 'shards on node a1', why: 'the node hung up' }])
  const later = reading('a1', (request, signal) => {
    if (!isStale) return nodes.get('a1')?.get(request, signal) ?? assert.fail()
    isStale = false
    return Promise.reject(new ShardError('stale-map', 'the node knows a newer one'))
  })
  const whole = await check({ metadata, shards: later, clock, store }, { deep: true })
  assert.deepEqual([whole.findings, whole.blind, isStale], [[], [], false])
  assert.equal(whole.counts.shardsRead, whole.counts.shards)
  assert.ok(missed.counts.shardsRead < whole.counts.shards)
  await cluster.close()
})

test('an orphan is found once it is old enough, and is young before', async () => {
  const cluster = await scene(3)
  await cluster.putInVain('lost', 100_000)
  const before = await check(cluster)
  assert.deepEqual(before.findings, [])
  assert.equal(before.counts.young, 1)
  cluster.aheadMs = BLOB_ORPHAN_AGE_MS_MIN + 60_000
  await cluster.clock.pass(10_000)
  const after = await check(cluster)
  assert.deepEqual(kindsOf(after), ['orphan'])
  assert.equal(after.findings[0]?.place?.key, 'lost')
  await cluster.close()
})

test('deep keeps to its rate, and says how far it is', async () => {
  const cluster = await scene(4)
  const { clock } = cluster
  const told: ReadingProgress[] = []
  const startMs = clock.monotonicMs()
  const rate = 200_000
  const { findings, counts } = await check(cluster, {
    deep: true,
    bytesPerSecond: rate,
    onProgress: (progress) => {
      if ('reading' in progress && progress.reading !== undefined) told.push(progress.reading)
    },
  })
  assert.deepEqual(findings, [])
  const seconds = (clock.monotonicMs() - startMs) / 1000
  const bytes = counts.shardBytes + counts.recordBytes
  assert.ok(seconds > (0.9 * bytes) / rate, `${bytes} bytes in ${seconds} s`)
  const last = told.at(-1)
  assert.ok(last !== undefined)
  assert.ok(last.bytesRead >= counts.shardBytes, `${last.bytesRead} of ${counts.shardBytes}`)
  // Annotations are read as shards, and not as objects.
  assert.ok((last.bytesLeft ?? 0) < 0.1 * bytes, String(last.bytesLeft))
  assert.ok(last.bytesPerSecond <= 1.1 * rate, String(last.bytesPerSecond))
  assert.ok(told.some(({ bytesLeft = 0 }) => bytesLeft > 0))
  await cluster.close()
})

/** The service with other reads. */
function withGet(service: ShardService, get: ShardService['get']): ShardService {
  return {
    put: (...request) => service.put(...request),
    get,
    deleteBlob: (...request) => service.deleteBlob(...request),
    deleteShards: (...request) => service.deleteShards(...request),
    list: (...request) => service.list(...request),
    describe: (...request) => service.describe(...request),
    damaged: (...request) => service.damaged(...request),
    status: (...request) => service.status(...request),
  }
}

/** A check as the command makes it, with a store of its own. */
async function checkAsCommand(cluster: WholeCluster, shards: ShardTransport, deep: boolean) {
  const { metadata, clock } = cluster
  const world = { metadata, shards, clock, log: silentLog, random: seededRandom(1) }
  const startMs = clock.monotonicMs()
  const events: FsckEvent[] = []
  const checking = (async () => {
    for await (const event of checkEvents(world, { deep }, new AbortController().signal)) events.push(event)
  })()
  await clock.drive(checking)
  const findings = events.flatMap((event) => ('finding' in event ? [event.finding] : []))
  const [result] = events.flatMap((event) => ('result' in event ? [event.result] : []))
  assert.ok(result !== undefined)
  return { findings, ...result, tookMs: clock.monotonicMs() - startMs }
}

test('all that deep reads, shards and objects, it reads in the background; and it ends on nodes that are never idle', async () => {
  const cluster = await scene(5)
  // Of shards so large that those behind others are later than what a read for a client would go round.
  for (const key of ['large', 'larger']) await cluster.put(key, 9_000_000)
  const { clock, nodes, disks } = cluster
  const asked: { readonly id: string; readonly request: GetShard }[] = []
  const bytesRead = new Map<string, number>()
  const shards = createInProcessShardTransport((id) => {
    const node = nodes.get(id) ?? assert.fail()
    return withGet(node, async (request, signal) => {
      asked.push({ id, request })
      const blocks = await node.get(request, signal)
      bytesRead.set(id, (bytesRead.get(id) ?? 0) + blocks.data.byteLength)
      return blocks
    })
  })
  const idle = await checkAsCommand(cluster, shards, true)
  assert.deepEqual([idle.findings, idle.blind], [[], []])
  const reads = asked.length
  assert.ok(reads > idle.counts.shards, `${reads} reads of ${idle.counts.shards} shards and objects`)
  assert.ok(asked.every(({ request }) => request.background === true))

  // Requests that no node ever comes to an end with.
  const releasing = Promise.withResolvers<undefined>()
  const endless: Promise<unknown>[] = []
  for (const [id, node] of nodes) {
    const known = asked.find((one) => one.id === id)?.request ?? assert.fail()
    let left = BACKGROUND_BUSY_REQUESTS
    const disk = disks.get(id) ?? assert.fail()
    disk.before = ({ kind }) => (kind === 'read' && left-- > 0 ? releasing.promise : undefined)
    for (let index = 0; index < BACKGROUND_BUSY_REQUESTS; index++) {
      endless.push(node.get({ address: known.address, epoch: known.epoch }))
    }
  }
  await clock.pass(1)
  bytesRead.clear()
  asked.length = 0
  const busy = await checkAsCommand(cluster, shards, true)
  assert.deepEqual([busy.findings, busy.blind], [[], []])
  assert.deepEqual(busy.counts, idle.counts)
  // Nothing is late, as far as it is concerned: it reads nothing a second time, of other nodes.
  assert.equal(asked.length, reads)
  const slowestMs = (1000 * Math.max(...bytesRead.values())) / BACKGROUND_READ_BYTES_PER_SECOND_MIN
  const allMs =
    (1000 * [...bytesRead.values()].reduce((sum, one) => sum + one, 0)) / BACKGROUND_READ_BYTES_PER_SECOND_MIN
  const extraMs = busy.tookMs - idle.tookMs
  assert.ok(extraMs > 0.9 * slowestMs && extraMs < 1.1 * allMs, `${extraMs} ms, of ${slowestMs} to ${allMs}`)
  releasing.resolve(undefined)
  await clock.drive(Promise.all(endless))
  await cluster.close()
})
