import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardService } from '../proto/shard-transport.ts'
import { createNodeDisk } from '../runtime/disk/node-disk.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import { serveShards } from '../runtime/shard-transport/server.ts'
import { openLevelIndex } from './index/level-index.ts'
import { startMembership } from './membership.ts'
import { StorageNode } from './node.ts'
import { ReopeningNode } from './reopening-node.ts'

export interface StorageNodeConfig {
  /** Unique in the cluster, at most 127 bytes; the folder is bound to it. */
  readonly nodeId: string
  readonly zone: string
  /** Made if it is not there; used by one process at a time. */
  readonly dataDirectory: string
  /** Where to serve the shard protocol; undefined: in this process only. */
  readonly listen?:
    | {
        readonly host: string
        /** 0: any free one. */
        readonly port: number
        /** The cluster's secret. */
        readonly secret: string
        /** `host:port` that callers reach it by, where it is not the one it listens on. */
        readonly advertise?: string
      }
    | undefined
  readonly clusterId?: string
  /** Days within which the scrub reads every shard; absent or 0: it does not. */
  readonly scrubDays?: number
  /** Most bytes a second that compaction copies; 0: no limit. */
  readonly compactionBytesPerS?: number
}

export interface StorageNodeWorld {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metadata: MetadataApi
}

export interface RunningStorageNode {
  readonly service: ShardService
  /** `host:port` of the shard server; undefined when it does not listen. */
  readonly address: string | undefined
  /** Stops accepting, ends what is in flight, makes the index durable, lets go of the folder. */
  close(): Promise<void>
}

/**
 * Starts a storage node on the folder `dataDirectory`: `segments/` and `index/`.
 * @throws {Error} when the folder is in use by another process, another node's, or of a newer format.
 */
export async function startStorageNode(
  config: StorageNodeConfig,
  { clock, random, log, metadata }: StorageNodeWorld,
): Promise<RunningStorageNode> {
  const { nodeId, zone, dataDirectory, listen, clusterId = '', scrubDays, compactionBytesPerS } = config
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  // Its name in the folder above must be as durable as what it will hold.
  await createNodeDisk(dirname(resolve(dataDirectory))).syncDirectory('')
  const nodeLog = log.child({ service: 'storage-node', node: nodeId })
  const disk = createNodeDisk(dataDirectory)
  const node = await ReopeningNode.open({
    nodeId,
    zone,
    disk,
    clock,
    log: nodeLog,
    async open() {
      // First: its lock keeps every other process off the folder.
      const index = await openLevelIndex(join(dataDirectory, 'index'))
      const ports = { disk, index, clock, random, log: nodeLog }
      return await StorageNode.open({ nodeId, zone, clusterId, scrubDays, compactionBytesPerS }, ports)
    },
  })
  try {
    const server =
      listen === undefined
        ? undefined
        : await serveShards({ ...listen, service: node, nodeId, clock, log: nodeLog })
    const address =
      server === undefined ? undefined : (listen?.advertise ?? hostPort(server.host, server.port))
    const membership = startMembership({
      member: node,
      address: address ?? '',
      clusterId,
      metadata,
      clock,
      log: nodeLog,
    })
    return {
      service: node,
      address,
      async close() {
        await membership.close()
        await server?.close()
        await node.close()
      },
    }
  } catch (error) {
    await node.close()
    throw error
  }
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
