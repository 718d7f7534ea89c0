import { nextTurn } from '../runtime/clock/next-turn.ts'
import { inProcessMetadata } from '../runtime/metadata-client/in-process.ts'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import { createNodeDisk } from '../runtime/disk/node-disk.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { NextTurn } from '../runtime/ports/next-turn.ts'
import type { Random } from '../runtime/ports/random.ts'
import { wholeRange } from '../core/keyspace/partitions.ts'
import { NODE_GRACE_SECONDS_DEFAULT } from '../core/limits.ts'
import { RestoreBrake } from './backup/brake.ts'
import { OpenBackups } from './backup/open-backups.ts'
import type { ClusterPlan } from './cluster/bootstrap.ts'
import { Cluster } from './cluster/cluster.ts'
import { Controller } from './cluster/controller.ts'
import { openFormat } from './cluster/format.ts'
import { RiskLedger } from './cluster/risk-ledger.ts'
import type { Engine } from './engine/engine.ts'
import { LevelEngine } from './engine/level.ts'
import { MemoryEngine } from './engine/memory.ts'
import { journalCluster } from './journal/cluster.ts'
import { Journal } from './journal/journal.ts'
import { WorkLeases } from './leases/leases.ts'
import { Partition } from './partition/partition.ts'
import { Purger } from './partition/purge.ts'
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
  /** Time that a storage node may be down before others take its place; NODE_GRACE_SECONDS_DEFAULT by default. */
  readonly nodeGraceMs?: number
  /** With ports' `shards`: version of the program, for the copies of the metadata on storage nodes. */
  readonly program?: string
}

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
  /** Answers what is in flight and lets the folder go. */
  close(): Promise<void>
}

/**
 * Starts the metadata service.
 * @throws {EngineOpenError} the folder is in use or damaged
 * @throws {NewerFormatError} a newer program has written there
 * @throws {RestoreInterruptedError} what is there was only half restored
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
  opened: Engine,
  config: MetadataConfig,
  ports: MetadataPorts,
  disk?: Pick<Disk, 'space'>,
): Promise<RunningMetadata> {
  const { clock, random, log } = ports
  const turn = ports.nextTurn ?? nextTurn
  const { shards } = ports
  const parts = { clusterId: config.clusterId, program: config.program ?? '', clock, random, log }
  const journal = shards === undefined ? undefined : new Journal(opened, parts)
  const engine = journal?.engine ?? opened
  await openFormat(engine)
  const partition = await Partition.open(engine, wholeRange(config.clusterId), {
    clock,
    random,
    log,
    nextTurn: turn,
  })
  const backlog = () => partition.outbox.backlog
  const cluster = await Cluster.open(engine, config.clusterId, config.bootstrap, clock, backlog)
  partition.blobs.goBy(cluster)
  const purger = new Purger(partition)
  const room = disk === undefined ? undefined : new Room(disk, clock)
  const leases = new WorkLeases(clock)
  const ledger = new RiskLedger(cluster, leases, clock)
  const brake = await RestoreBrake.open(engine, log)
  partition.blobs.brakeBy(brake)
  const backups = new OpenBackups({ engines: () => [{ id: 'default', engine }], clock, random, log })
  const backup = { clusterId: config.clusterId, backups, brake, partition, journal }
  const service = new MetadataService({ partition, purger, cluster, leases, ledger, room, backup, random, log })
  const { secret, host, port } = config
  const server = config.listen
    ? await serveMetadata({ handler: service, secret, host, port, clock, log, nextTurn: turn })
    : undefined
  const nodeGraceMs = config.nodeGraceMs ?? NODE_GRACE_SECONDS_DEFAULT * 1000
  if (shards !== undefined) journal?.start(journalCluster(cluster, shards))
  const controller = new Controller({ cluster, clock, log, nodeGraceMs, room })
  // What an earlier process left to be removed.
  purger.wake()
  return {
    api: inProcessMetadata(service),
    address: server?.address,
    async close() {
      await controller.close()
      await server?.close()
      await service.close()
      await purger.close()
      brake.close()
      await backups.closeAll()
      await journal?.close()
      await engine.close()
    },
  }
}
