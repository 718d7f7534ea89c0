/** Storage nodes, metadata and workers as they are, in one process, on memory disks and simulated time. */

import assert from 'node:assert/strict'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { defaultPools, startOn } from '../../metadata/main.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BlobRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi, type MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { ShardAddress, ShardTransport } from '../../proto/shard-transport.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { startMembership } from '../../storage-node/membership.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { createStore, type ClosableStore } from '../../store/store.ts'
import { bytesOf, collect, contentOf, putRequest, seededRandom } from '../../store/testing/harness.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { startWorker, type RunningWorker, type WorkerConfig } from '../../workers/main.ts'

export interface WholeClusterOptions {
  readonly seed: number
  readonly code?: string
  readonly nodesPerZone?: number
  /** Time that a node may be down. */
  readonly graceMs?: number
  readonly log?: Log
}

type Change = NonNullable<MetadataRequestInit<'changeCluster'>['change']>

const MEMORY = {
  computeWorkers: 0,
  writeMemoryBytes: 32 * 1024 * 1024,
  readMemoryBytes: 16 * 1024 * 1024,
  repairMemoryBytes: 32 * 1024 * 1024,
}

export class WholeCluster {
  readonly clock = new SimulatedClock()
  /** What metadata has. */
  readonly engine = new MemoryEngine()
  readonly disks = new Map<string, MemoryDisk>()
  readonly nodes = new Map<string, StorageNode>()
  readonly down = new Set<string>()
  /** How far metadata's clocks are ahead, milliseconds: blobs grow old by it. */
  aheadMs = 0
  metadata!: MetadataApi
  shards!: ShardTransport
  store!: ClosableStore
  readonly #options: WholeClusterOptions
  readonly #contents = new Map<string, Uint8Array>()
  readonly #closers: (() => Promise<void>)[] = []
  readonly #workers = new Set<RunningWorker>()
  #seed: number

  private constructor(options: WholeClusterOptions) {
    this.#options = options
    this.#seed = options.seed * 1000
  }

  /** Nodes a1, a2 … c3 in three zones, and the bucket `bucket`. */
  static async start(options: WholeClusterOptions): Promise<WholeCluster> {
    const cluster = new WholeCluster(options)
    await cluster.clock.drive(cluster.#start())
    return cluster
  }

  async #start(): Promise<void> {
    const { clock } = this
    const { code = 'rs-4-2', nodesPerZone = 3, graceMs = 60_000, log = silentLog } = this.#options
    const ids = ['a', 'b', 'c'].flatMap((zone) =>
      Array.from({ length: nodesPerZone }, (_, i) => `${zone}${i + 1}`),
    )
    const ahead = {
      nowMs: () => clock.nowMs() + this.aheadMs,
      monotonicMs: () => clock.monotonicMs() + this.aheadMs,
      after: (ms: number, run: () => void) => clock.after(ms, run),
      sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    }
    const running = await startOn(
      this.engine,
      {
        dataDirectory: '',
        engine: 'memory',
        listen: false,
        host: '127.0.0.1',
        port: 0,
        secret: 'secret',
        clusterId: 'cluster',
        bootstrap: {
          nodes: ids.map((id) => ({ id, zone: id.slice(0, 1), weight: 1 })),
          pools: defaultPools(code).map((pool) => ({ ...pool, groups: 8 })),
        },
        nodeGraceMs: graceMs,
      },
      { clock: ahead, random: seededRandom(++this.#seed), log },
    )
    this.#closers.push(() => running.close())
    this.metadata = running.api
    this.shards = createInProcessShardTransport((id) => (this.down.has(id) ? undefined : this.nodes.get(id)))
    for (const id of ids) await this.addNode(id)
    await this.metadata.call('createBucket', {
      bucket: { format: 1, name: 'bucket', owner: 'owner' },
      limitPerOwner: 100,
    })
    this.store = createStore({
      metadata: this.metadata,
      shards: this.shards,
      clock,
      random: seededRandom(++this.#seed),
      log,
      settings: MEMORY,
    })
    this.#closers.push(() => this.store.close())
  }

  /** Starts a node on a disk of its own; the map may not know it yet. */
  async addNode(id: string): Promise<void> {
    const { clock } = this
    const disk = new MemoryDisk()
    const random = seededRandom(++this.#seed)
    const index = new MemoryIndex()
    const zone = id.slice(0, 1)
    const node = await StorageNode.open({ nodeId: id, zone }, { disk, index, clock, random, log: silentLog })
    this.disks.set(id, disk)
    this.nodes.set(id, node)
    const metadata: MetadataApi = {
      call: (operation, request, signal) =>
        this.down.has(id)
          ? Promise.reject(new MetadataError(FailureCode.UNAVAILABLE, 'cut off'))
          : this.metadata.call(operation, request, signal),
    }
    const membership = startMembership({
      member: node,
      address: '',
      clusterId: '',
      metadata,
      clock,
      log: silentLog,
    })
    this.#closers.push(async () => {
      await membership.close()
      await node.close()
    })
  }

  async startWorker(name: string, settings: Partial<WorkerConfig> = {}): Promise<RunningWorker> {
    const { metadata, shards, clock } = this
    const log = this.#options.log ?? silentLog
    const random = seededRandom(++this.#seed)
    const config = { name, repairBytesPerS: 0, garbageGraceMs: 30_000, store: MEMORY, ...settings }
    const worker = await startWorker(config, { metadata, shards, clock, random, log })
    this.#workers.add(worker)
    return worker
  }

  async stopWorker(worker: RunningWorker): Promise<void> {
    this.#workers.delete(worker)
    await this.clock.drive(worker.close())
  }

  async put(key: string, size: number): Promise<ObjectRecord> {
    const bytes = bytesOf(size, ++this.#seed)
    const record = await this.clock.drive(this.store.putObject(putRequest(key, contentOf(bytes))))
    this.#contents.set(key, bytes)
    return record
  }

  /** A write of which the commit never arrives, and nobody can tell. */
  async putInVain(key: string, size: number): Promise<void> {
    const metadata: MetadataApi = {
      call: (operation, request, signal) =>
        operation === 'commitObject'
          ? Promise.reject(new MetadataError(FailureCode.UNAVAILABLE, 'lost'))
          : this.metadata.call(operation, request, signal),
    }
    const { clock, shards } = this
    const random = seededRandom(++this.#seed)
    const store = createStore({ metadata, shards, clock, random, log: silentLog, settings: MEMORY })
    const content = contentOf(bytesOf(size, this.#seed))
    await assert.rejects(clock.drive(store.putObject(putRequest(key, content))))
    await clock.drive(store.close())
  }

  async fill(
    prefix: string,
    count: number,
    sizes: readonly number[] = [1, 40_000, 300_000, 1_000_000],
  ): Promise<void> {
    for (let i = 0; i < count; i++) await this.put(`${prefix}${i}`, sizes[i % sizes.length] ?? 1)
  }

  /** A multipart object, and an annotation of it, while whatever befalls the nodes befalls them. */
  async putParts(key: string, sizes: readonly number[]): Promise<void> {
    const uploadId = (++this.#seed).toString(16).padStart(32, '0')
    const upload = { format: 1, bucket: 'bucket', key, uploadId, owner: 'owner', storageClass: 'STANDARD' }
    await this.clock.drive(this.metadata.call('createUpload', { upload }))
    const contents = sizes.map((size) => bytesOf(size, ++this.#seed))
    const parts = []
    for (const [i, bytes] of contents.entries()) {
      const content = contentOf(bytes)
      const request = {
        bucket: 'bucket',
        key,
        uploadId,
        partNumber: i + 1,
        storageClass: 'STANDARD',
        content,
      }
      const { partNumber, etag } = await this.clock.drive(this.store.putPart(request))
      parts.push({ partNumber, etag })
    }
    const completion = { bucket: 'bucket', key, uploadId, parts, etag: 'etag-2' }
    await this.clock.drive(this.metadata.call('completeUpload', completion))
    const object = await this.record(key)
    const content = contentOf(bytesOf(50_000, ++this.#seed))
    await this.clock.drive(this.store.putAnnotation({ object, name: 'note', content }))
    this.#contents.set(key, Buffer.concat(contents))
  }

  /** Every blob that the records name. */
  async blobs(): Promise<{ readonly key: string; readonly blob: BlobRecord }[]> {
    const found: { readonly key: string; readonly blob: BlobRecord }[] = []
    for (const key of this.#contents.keys()) {
      const { blob, manifest, version, annotationCount } = await this.record(key)
      if (blob !== undefined) found.push({ key, blob })
      if (manifest !== undefined) {
        const wanted = {
          bucket: 'bucket',
          key,
          version,
          firstPage: 0,
          pageCount: manifest.pageOffsets.length,
        }
        const { pages } = await this.clock.drive(this.metadata.call('getManifest', wanted))
        for (const part of pages.flatMap(({ parts }) => parts)) {
          if (part.blob !== undefined) found.push({ key, blob: part.blob })
        }
      }
      if (annotationCount === 0) continue
      const { annotations } = await this.clock.drive(
        this.metadata.call('listAnnotations', { bucket: 'bucket', key, limit: 1000 }),
      )
      for (const one of annotations) if (one.blob !== undefined) found.push({ key, blob: one.blob })
    }
    return found
  }

  async delete(key: string): Promise<void> {
    await this.clock.drive(this.metadata.call('deleteObject', { bucket: 'bucket', key }))
    this.#contents.delete(key)
  }

  change(change: Change): Promise<unknown> {
    return this.clock.drive(this.metadata.call('changeCluster', { change }))
  }

  async map(): Promise<ClusterMap> {
    const { map } = await this.clock.drive(this.metadata.call('getCluster', {}))
    assert.ok(map !== undefined)
    return map
  }

  async moving(): Promise<boolean> {
    const { pools } = await this.map()
    return pools.some(({ groups }) => groups.some(({ slots }) => slots.some(({ filling }) => filling)))
  }

  /** Lets time pass until that holds. @throws {Error} when it does not within `limitMs` */
  async until(what: string, holds: () => Promise<boolean>, limitMs = 600_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + limitMs
    while (!(await holds())) {
      if (this.clock.monotonicMs() > endMs) {
        const found = await this.flaws()
        assert.fail(
          `still not so after ${limitMs} ms: ${what}; ${found.length}: ${found.slice(0, 5).join('; ')}`,
        )
      }
      await this.clock.pass(Math.max(1000, limitMs / 600))
    }
  }

  untilWhole(limitMs?: number): Promise<void> {
    return this.until(
      'all whole, and nothing moves',
      async () => !(await this.moving()) && (await this.flaws()).length === 0,
      limitMs,
    )
  }

  async record(key: string): Promise<ObjectRecord> {
    const { object } = await this.clock.drive(this.metadata.call('getObject', { bucket: 'bucket', key }))
    assert.ok(object !== undefined)
    return object
  }

  /** Every shard of every node, as `group/blob/stripe/shard`, in order. */
  async shardsOf(
    id: string,
  ): Promise<{ readonly at: string; readonly address: ShardAddress; readonly damaged: boolean }[]> {
    const node = this.nodes.get(id)
    if (node === undefined) return []
    const { pools } = await this.map()
    const found = []
    for (const { id: group } of pools.flatMap(({ groups }) => groups)) {
      const { shards, truncated } = await this.clock.drive(node.list({ group, limit: 1000 }))
      assert.ok(!truncated)
      for (const { address, damaged } of shards) found.push({ at: nameOf(address), address, damaged })
    }
    return found
  }

  /** In words, what is not as it should be: shards that are missing, damaged or too many, and records with relocations. */
  async flaws(): Promise<string[]> {
    const found: string[] = []
    const { pools } = await this.map()
    const groups = pools.flatMap((pool) => pool.groups)
    const expected = new Map<string, string>()
    for (const { key, blob } of await this.blobs()) {
      if (blob.relocations.length > 0) found.push(`${key} names relocations`)
      const slots = groups.find(({ id }) => id === blob.group)?.slots
      for (const address of addressesOf(blob)) {
        expected.set(nameOf(address), slots?.[address.shard]?.node ?? '?')
      }
    }
    const there = new Map<string, string[]>()
    for (const id of this.nodes.keys()) {
      if (this.down.has(id)) continue
      for (const { at, damaged } of await this.shardsOf(id)) {
        if (damaged) found.push(`${at} is damaged on ${id}`)
        else if (expected.get(at) !== id) found.push(`${at} is too many on ${id}`)
        there.set(at, [...(there.get(at) ?? []), id])
      }
    }
    for (const [at, id] of expected) {
      if (there.get(at)?.includes(id) !== true) found.push(`${at} is missing on ${id}`)
    }
    return found
  }

  /** Every object reads as it was put, every shard is once on its slot's node and nowhere else. */
  async assertWhole(): Promise<void> {
    assert.deepEqual(await this.flaws(), [])
    await this.assertReadable()
  }

  async assertReadable(): Promise<void> {
    for (const [key, bytes] of this.#contents) {
      const range = { start: 0, end: bytes.byteLength }
      const got = await this.clock.drive(collect(this.store.readObject(await this.record(key), range)))
      assert.ok(got.equals(bytes), `${key} reads as it was put`)
    }
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) await this.clock.drive(worker.close())
    for (const closer of this.#closers.toReversed()) await this.clock.drive(closer())
  }
}

function nameOf({ group, blob, stripe, shard }: ShardAddress): string {
  return `${group}/${blob}/${stripe}/${shard}`
}

function addressesOf({ id, code: name, size, group }: BlobRecord): ShardAddress[] {
  const code = parseCode(name)
  const stripes = stripeCount(code, Number(size))
  return Array.from({ length: stripes * code.total }, (_, i) => ({
    group,
    blob: id,
    stripe: Math.floor(i / code.total),
    shard: i % code.total,
  }))
}
