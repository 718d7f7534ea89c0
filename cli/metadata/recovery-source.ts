import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardService, ShardTransport } from '../../proto/shard-transport.ts'
import { parseAddress } from '../../runtime/config/fields.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { startStorageNode } from '../../storage-node/main.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import type { ClusterFile } from '../folder/cluster-file.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import { dataPaths } from '../folder/paths.ts'
import { readSecret } from '../folder/secret.ts'
import type { World } from '../world.ts'

/** Storage nodes that are asked for the copy of the metadata. */
export interface RecoverySource {
  readonly shards: ShardTransport
  readonly nodes: readonly string[]
  close(): Promise<void>
}

export interface RecoverySourceConfig {
  readonly data: string
  readonly nodes?: string | undefined
  readonly secretFile?: string | undefined
}

/**
 * The nodes that `--nodes` names, which are running; without it those of a local cluster, which is not: their folders are opened
 * here for as long as it takes.
 * @throws {CommandError}
 */
export async function openRecoverySource(
  config: RecoverySourceConfig,
  cluster: ClusterFile | undefined,
  world: World,
): Promise<RecoverySource> {
  if (config.nodes !== undefined) return await overNetwork(config.nodes, config, world)
  if (cluster === undefined) {
    throw new CommandError(`there is no local cluster in ${config.data}`, {
      exitCode: EXIT_USAGE,
      hints: ['Name the running storage nodes with --nodes HOST:PORT,HOST:PORT… and --secret-file.'],
    })
  }
  return await fromFolders(cluster, config.data, world)
}

async function overNetwork(
  list: string,
  { data, secretFile }: RecoverySourceConfig,
  { clock, random }: World,
): Promise<RecoverySource> {
  const nodes = list.split(',').map((one) => one.trim())
  const wrong = nodes.find((one) => parseAddress(one) === undefined)
  if (wrong !== undefined) {
    throw new CommandError(`${wrong} is no host:port`, { exitCode: EXIT_USAGE })
  }
  const secret = await readSecret(secretFile ?? dataPaths(data).secret)
  const shards = createNetworkShardTransport({
    // Who listens there is not known, nor does it matter: an address stands for its node.
    anyNode: true,
    addressOf: (node) => node,
    secret,
    clock,
    random,
    log: silentLog,
  })
  return { shards, nodes, close: async () => shards.close() }
}

async function fromFolders(cluster: ClusterFile, data: string, world: World): Promise<RecoverySource> {
  const paths = dataPaths(data)
  const services = new Map<string, ShardService>()
  const closing: (() => Promise<void>)[] = []
  const nodes = Object.entries(cluster.zones).flatMap(([zone, ids]) => ids.map((id) => ({ zone, id })))
  for (const { zone, id } of nodes) {
    try {
      const lock = await holdServiceFolder(paths.node(id), `storage node ${id}`, world.clock)
      closing.push(async () => {
        lock.release()
      })
      const running = await startStorageNode(
        { nodeId: id, zone, dataDirectory: paths.node(id), clusterId: cluster.clusterId },
        { clock: world.clock, random: world.random, log: silentLog, metadata: nobody },
      )
      closing.push(() => running.close())
      services.set(id, running.service)
    } catch (error) {
      // The copies are there so that some may be missing.
      world.err(`storage node ${id} cannot be opened: ${String(error)}\n`)
    }
  }
  return {
    shards: createInProcessShardTransport((node) => services.get(node)),
    nodes: [...services.keys()],
    async close() {
      for (const close of closing.toReversed()) await close()
    },
  }
}

/** Metadata that is not there. */
const nobody: MetadataApi = {
  async call() {
    throw new MetadataError(FailureCode.UNAVAILABLE, 'metadata is being recovered')
  },
}
