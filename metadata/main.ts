import { inProcessMetadata } from '../runtime/metadata-client/in-process.ts'
import type { Request } from '../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import { createNodeDisk } from '../runtime/disk/node-disk.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { NextTurn } from '../runtime/ports/next-turn.ts'
import type { Random } from '../runtime/ports/random.ts'
import { nextTurn } from '../runtime/clock/next-turn.ts'
import { GrpcMetadata } from '../runtime/metadata-client/grpc.ts'
import { PARTITION_SETTINGS_DEFAULT, type PartitionSettings } from '../core/partitioning/view.ts'
import type { ClusterPlan } from './cluster/bootstrap.ts'
import type { Engine } from './engine/engine.ts'
import { LevelEngine } from './engine/level.ts'
import { MemoryEngine } from './engine/memory.ts'
import type { ConnectPeer } from './host/peers.ts'
import { MetadataNode } from './node.ts'
import { Room } from './room.ts'
import { serveMetadata } from './server/server.ts'
import { MetadataService } from './service.ts'

export { defaultPools, type ClusterPlan, type PoolPlan } from './cluster/bootstrap.ts'

export interface MetadataConfig {
  /** Folder of the `level` engine, made if it is not there; not used by `memory`. */
  readonly dataDirectory: string
  readonly engine: 'level' | 'memory'
  /** Whether to serve gRPC; without it, only the `api` returned answers. */
  readonly listen: boolean
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** The cluster's secret, which callers over gRPC must hold. */
  readonly secret: string
  readonly clusterId: string
  /** What a new cluster is made of; an existing one keeps its map. */
  readonly bootstrap: ClusterPlan
  /** Name of this process among the metadata processes; METADATA_NODE_DEFAULT by default. */
  readonly nodeId?: string
  /** Other processes may have the engine at the same time. */
  readonly shared?: boolean
  /** When partitions are split, merged and moved; PARTITION_SETTINGS_DEFAULT for what is left out. */
  readonly partitions?: Partial<PartitionSettings>
  /** Each partition is held to the rates that S3 documents for a prefix. */
  readonly emulateS3Limits?: boolean
  /** How the others are reached; over gRPC by default. */
  readonly connectPeer?: ConnectPeer
  /** Time that a storage node may be down before others take its place; NODE_GRACE_SECONDS_DEFAULT by default. */
  readonly nodeGraceMs?: number
}

/** Name of the one metadata process of a cluster that has no other. */
const METADATA_NODE_DEFAULT = 'metadata'

export interface MetadataPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Default: the process's own event loop. */
  readonly nextTurn?: NextTurn
}

export interface RunningMetadata {
  /** The service in this process, without a wire between. */
  readonly api: MetadataApi
  /** `host:port` of gRPC; undefined without `listen`. */
  readonly address: string | undefined
  readonly node: MetadataNode
  /** Answers what is in flight and lets the folder go. */
  close(): Promise<void>
}

/**
 * Starts the metadata service.
 * @throws {EngineOpenError} the folder is in use or damaged
 * @throws {NewerFormatError} a newer program has written there
 * @throws {WrongClusterError} the folder belongs to another cluster
 * @throws {ClusterPlanError} the bootstrap breaks a rule
 */
export async function startMetadata(config: MetadataConfig, ports: MetadataPorts): Promise<RunningMetadata> {
  const engine =
    config.engine === 'memory' ? new MemoryEngine() : await LevelEngine.open(config.dataDirectory)
  try {
    const disk = config.engine === 'memory' ? undefined : createNodeDisk(config.dataDirectory)
    return await startOn(engine, config, ports, disk)
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** The same on an engine that is open already, and the disk that it fills; it is closed with the service. */
export async function startOn(
  engine: Engine,
  config: MetadataConfig,
  ports: MetadataPorts,
  disk?: Pick<Disk, 'space'>,
): Promise<RunningMetadata> {
  const { clock, random, log } = ports
  const turn = ports.nextTurn ?? nextTurn
  const { secret, host, port } = config
  const room = disk === undefined ? undefined : new Room(disk, clock)
  const connect: ConnectPeer = ({ address }) => {
    const api = new GrpcMetadata({ address, secret, clock, random, log, nextTurn: turn })
    return { api, close: () => api.close() }
  }
  // Requests may come before the node is there to answer them, which it cannot be before its address is known.
  const opened = Promise.withResolvers<MetadataService>()
  opened.promise.catch(() => undefined)
  const handler = { handle: async (request: Request) => (await opened.promise).handle(request) }
  const server = config.listen
    ? await serveMetadata({ handler, secret, host, port, clock, log, nextTurn: turn })
    : undefined
  let node: MetadataNode
  try {
    node = await MetadataNode.open({
      engines: [{ engine, room }],
      id: config.nodeId ?? METADATA_NODE_DEFAULT,
      address: server?.address ?? '',
      exclusive: config.shared !== true,
      clusterId: config.clusterId,
      bootstrap: config.bootstrap,
      nodeGraceMs: config.nodeGraceMs,
      settings: { ...PARTITION_SETTINGS_DEFAULT, ...config.partitions },
      emulateS3Limits: config.emulateS3Limits === true,
      connectPeer: config.connectPeer ?? connect,
      clock,
      random,
      log,
      nextTurn: turn,
    })
  } catch (error) {
    opened.reject(error)
    await server?.close()
    throw error
  }
  const service = new MetadataService(node)
  opened.resolve(service)
  return {
    api: inProcessMetadata(service),
    address: server?.address,
    node,
    async close() {
      await server?.close()
      await service.close()
      await node.close()
      await engine.close()
    },
  }
}
