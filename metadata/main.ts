import { readFile } from 'node:fs/promises'
import { inProcessMetadata } from '../runtime/metadata-client/in-process.ts'
import type { Request } from '../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import { createNodeDisk } from '../runtime/disk/node-disk.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { NextTurn } from '../runtime/ports/next-turn.ts'
import type { Random } from '../runtime/ports/random.ts'
import { nextTurn } from '../runtime/clock/next-turn.ts'
import { GrpcMetadata } from '../runtime/metadata-client/grpc.ts'
import type { PartitionRates } from '../core/admission/s3-rates.ts'
import { PARTITION_SETTINGS_DEFAULT, type PartitionSettings } from '../core/partitioning/view.ts'
import type { ClusterPlan } from './cluster/bootstrap.ts'
import type { Engine } from './engine/engine.ts'
import { LevelEngine } from './engine/level.ts'
import { MemoryEngine } from './engine/memory.ts'
import { openEngine } from './engine/open.ts'
import type { ConnectPeer } from './host/peers.ts'
import { MetadataNode } from './node.ts'
import { Journal } from './journal/journal.ts'
import { forgetPosition } from './journal/tail.ts'
import { Room, spaceOf } from './room.ts'
import { serveMetadata } from './server/server.ts'
import { MetadataService } from './service.ts'

export { MemberTakenError } from './coordination/own-member.ts'
export { NoClusterError, WrongClusterError } from './cluster/assert-cluster.ts'
export { EngineOpenError } from './engine/engine.ts'
export { EngineSpecError } from './engine/open.ts'
export { defaultPools, type ClusterPlan, type PoolPlan } from './cluster/bootstrap.ts'

export interface MetadataConfig {
  /** Folder of the `level` engine, made if it is not there; not used by `memory`. */
  readonly dataDirectory: string
  readonly engine: 'level' | 'memory'
  /** Addresses of the engines in place of the one above, the coordination engine first: see engine/open.ts. */
  readonly engines?: readonly string[]
  /** `host:port` by which others reach this process, if it is another than it listens on. */
  readonly advertise?: string
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
  /** There is such a cluster already: an engine that has none is the wrong one. */
  readonly existing?: boolean
  /** Name of this process among the metadata processes; METADATA_NODE_DEFAULT by default. */
  readonly nodeId?: string
  /** Other processes may have the engine at the same time. */
  readonly shared?: boolean
  /** When partitions are split, merged and moved; PARTITION_SETTINGS_DEFAULT for what is left out. */
  readonly partitions?: Partial<PartitionSettings>
  /** What each partition admits, at most; whatever it can by default. */
  readonly heldTo?: PartitionRates
  /** How the others are reached; over gRPC by default. */
  readonly connectPeer?: ConnectPeer
  /** Time that a storage node may be down before others take its place; NODE_GRACE_SECONDS_DEFAULT by default. */
  readonly nodeGraceMs?: number
  /** With ports' `shards`: version of the program, for the copies of the metadata on storage nodes. */
  readonly program?: string
}

/** Name of the one metadata process of a cluster that has no other. */
const METADATA_NODE_DEFAULT = 'metadata'

export interface MetadataPorts {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Default: the process's own event loop. */
  readonly nextTurn?: NextTurn
  /** Reaches the storage nodes, on which a recent copy of the metadata is kept then. @param addressOf where they are, as last heard */
  readonly shards?: (addressOf: (node: string) => string | undefined) => ShardTransport
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
 * Starts a metadata process.
 * @throws {EngineOpenError} an engine is in use, damaged or out of reach
 * @throws {EngineSpecError} an address names no engine
 * @throws {NewerFormatError} a newer program has written there
 * @throws {WrongClusterError} it belongs to another cluster
 * @throws {NoClusterError} it has none, and there is one
 * @throws {ClusterPlanError} the bootstrap breaks a rule
 * @throws {MemberTakenError} another process has this one's name
 */
export async function startMetadata(config: MetadataConfig, ports: MetadataPorts): Promise<RunningMetadata> {
  const { clock, random, log } = ports
  const opened: OpenedEngine[] = []
  try {
    if (config.engines === undefined || config.engines.length === 0) {
      const engine =
        config.engine === 'memory' ? new MemoryEngine() : await LevelEngine.open(config.dataDirectory)
      const disk = config.engine === 'memory' ? undefined : createNodeDisk(config.dataDirectory)
      opened.push({ kind: config.engine, engine, disk })
    }
    for (const address of config.engines ?? []) {
      const engine = await openEngine(address, { clock, random, log, readFile: (path) => readFile(path) })
      const folder = /^level:(.*)$/s.exec(address)?.[1]
      opened.push({
        kind: kindOf(address),
        engine,
        disk: folder === undefined ? spaceOf(engine) : createNodeDisk(folder),
      })
    }
    return await startOnAll(opened, config, ports)
  } catch (error) {
    await Promise.all(opened.map(({ engine }) => engine.close()))
    throw error
  }
}

/** An engine that is open, and the disk that it fills, if it is to be looked after. */
export interface OpenedEngine {
  /** For people: `level`, `postgres`. */
  readonly kind?: string
  readonly engine: Engine
  readonly disk: Pick<Disk, 'space'> | undefined
}

/** The same on an engine that is open already; it is closed with the service. */
export async function startOn(
  engine: Engine,
  config: MetadataConfig,
  ports: MetadataPorts,
  disk?: Pick<Disk, 'space'>,
): Promise<RunningMetadata> {
  return await startOnAll([{ engine, disk }], config, ports)
}

/** The same on several, the coordination engine first. */
export async function startOnAll(
  opened: readonly OpenedEngine[],
  config: MetadataConfig,
  ports: MetadataPorts,
): Promise<RunningMetadata> {
  const { clock, random, log, shards } = ports
  const turn = ports.nextTurn ?? nextTurn
  const { secret, host, port, clusterId } = config
  const exclusive = !(config.shared ?? isShared(config.engines))
  const [first] = opened
  if (first === undefined) throw new Error('a metadata process needs an engine')
  // The journal is for an engine that nothing else replicates, and sees every batch of it.
  const parts = { clusterId, program: config.program ?? '', clock, random, log }
  const journaled = shards !== undefined && exclusive && opened.length === 1
  const journal = journaled ? await Journal.open(first.engine, parts) : undefined
  if (!journaled) await Promise.all(opened.map(({ engine }) => forgetPosition(engine)))
  const engines = opened.map(({ kind = '', engine, disk }, index) => ({
    kind,
    engine: index === 0 ? (journal?.engine ?? engine) : engine,
    room: disk === undefined ? undefined : new Room(disk, clock),
  }))
  const connect: ConnectPeer = ({ address }) => {
    const api = new GrpcMetadata({ address, secret, clock, random, log, nextTurn: turn })
    return { api, close: () => api.close() }
  }
  // Requests may come before the node is there to answer them, which it cannot be before its address is known.
  const serving = Promise.withResolvers<MetadataService>()
  serving.promise.catch(() => undefined)
  const handler = { handle: async (request: Request) => (await serving.promise).handle(request) }
  const server = config.listen
    ? await serveMetadata({ handler, secret, host, port, clock, log, nextTurn: turn })
    : undefined
  let node: MetadataNode
  try {
    node = await MetadataNode.open({
      engines,
      id: config.nodeId ?? METADATA_NODE_DEFAULT,
      address: config.advertise ?? server?.address ?? '',
      exclusive,
      clusterId,
      bootstrap: config.bootstrap,
      existing: config.existing === true,
      nodeGraceMs: config.nodeGraceMs,
      settings: { ...PARTITION_SETTINGS_DEFAULT, ...config.partitions },
      heldTo: config.heldTo,
      connectPeer: config.connectPeer ?? connect,
      journal: journal === undefined || shards === undefined ? undefined : { journal, shards },
      clock,
      random,
      log,
      nextTurn: turn,
    })
  } catch (error) {
    serving.reject(error)
    await server?.close()
    throw error
  }
  const service = new MetadataService(node)
  serving.resolve(service)
  return {
    api: inProcessMetadata(service),
    address: server?.address,
    node,
    async close() {
      await node.leave()
      await server?.close()
      await service.close()
      await node.close()
      await journal?.close()
      await Promise.all(engines.map(({ engine }) => engine.close()))
    },
  }
}

/** What stands before the colon. */
function kindOf(address: string): string {
  return /^[a-z]+/.exec(address)?.[0] ?? ''
}

/** Whether other processes may have the engines at the same time. */
function isShared(addresses: readonly string[] = []): boolean {
  return addresses.some((address) => !/^(level|memory):/.test(address))
}
