/** A cluster of real storage nodes and real metadata in this process, for the store. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPools, startMetadata } from '../../metadata/main.ts'
import { NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { createNodeDisk } from '../../runtime/disk/node-disk.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { serveShards } from '../../runtime/shard-transport/server.ts'
import { openLevelIndex } from '../../storage-node/index/level-index.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode } from '../../storage-node/node.ts'

export const world = { clock: systemClock, random: systemRandom, log: silentLog }

/** How many times as long as others a store waits that goes by `unhurried`. */
const PATIENCE = 10

/**
 * For a store that is not to take the load of a slow machine for failures of its nodes: its time passes ten times slower,
 * so that all of its timeouts are ten times as long. What fails at once is noticed at once.
 */
export const unhurried = {
  ...world,
  clock: {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs() / PATIENCE,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms * PATIENCE, signal),
    after: (ms: number, run: () => void) => systemClock.after(ms * PATIENCE, run),
  } satisfies Clock,
}

export interface RealCluster {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  /** Takes nodes off the net, and their leases with them; resolves once all others answer. */
  setDown(nodes: readonly string[]): Promise<void>
  close(): Promise<void>
}

export interface RealClusterOptions {
  readonly disk: 'memory' | 'files'
  readonly network: boolean
  readonly code?: string
}

/** Nodes a1, a2, b1, b2, c1, c2 in three zones, and the bucket `bucket`. */
export async function startCluster({ disk, network, code }: RealClusterOptions): Promise<RealCluster> {
  const closers: (() => Promise<void>)[] = []
  const folder = disk === 'files' ? await mkdtemp(join(tmpdir(), 'ashlar-store-')) : ''
  if (folder !== '') closers.push(() => rm(folder, { recursive: true }))
  const ids = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
  const running = await startMetadata(
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
        pools: defaultPools(code).map((pool) => ({ ...pool, groups: 16 })),
      },
    },
    world,
  )
  closers.push(() => running.close())
  const nodes = new Map<string, StorageNode>()
  const ports = new Map<string, number>()
  for (const id of ids) {
    const path = join(folder, id)
    const index = disk === 'files' ? await openLevelIndex(join(path, 'index')) : new MemoryIndex()
    const kept = disk === 'files' ? createNodeDisk(path) : new MemoryDisk()
    const node = await StorageNode.open({ nodeId: id, zone: id.slice(0, 1) }, { ...world, disk: kept, index })
    nodes.set(id, node)
    closers.push(() => node.close())
    if (!network) continue
    const server = await serveShards({ ...world, service: node, nodeId: id, port: 0, secret: 'secret' })
    ports.set(id, server.port)
    closers.push(() => server.close())
  }
  const down = new Set<string>()
  const heartbeat = async (): Promise<void> => {
    for (const id of ids) {
      if (down.has(id)) continue
      const node = { node: id, up: true, condition: NodeCondition.WRITABLE }
      await running.api.call('heartbeat', { node, zone: id.slice(0, 1) })
    }
  }
  await heartbeat()
  const beats = setInterval(() => void heartbeat().catch(() => undefined), 1000)
  closers.push(async () => {
    clearInterval(beats)
  })
  await running.api.call('createBucket', {
    bucket: { format: 1, name: 'bucket', owner: 'owner' },
    limitPerOwner: 100,
  })
  const transport = network
    ? createNetworkShardTransport({
        ...world,
        addressOf: (id) => (down.has(id) ? '127.0.0.1:1' : `127.0.0.1:${ports.get(id) ?? 1}`),
        secret: 'secret',
      })
    : undefined
  closers.push(async () => {
    transport?.close()
  })
  const shards =
    transport ?? createInProcessShardTransport((id) => (down.has(id) ? undefined : nodes.get(id)))
  const answers = async (id: string): Promise<boolean> =>
    await shards
      .node(id)
      .status()
      .then(
        () => true,
        () => false,
      )
  return {
    metadata: running.api,
    shards,
    async setDown(lost) {
      down.clear()
      for (const id of lost) down.add(id)
      await heartbeat()
      // A node that could not be reached is left alone for a while: until it was reached again, it is as down as before.
      for (const id of ids) {
        while (!down.has(id) && !(await answers(id))) await systemClock.sleep(20)
      }
    },
    async close() {
      for (const closer of closers.toReversed()) await closer()
    },
  }
}
