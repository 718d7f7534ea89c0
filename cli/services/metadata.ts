import packageFile from '../../package.json' with { type: 'json' }
import {
  defaultPools,
  EngineOpenError,
  EngineSpecError,
  MemberTakenError,
  NoClusterError,
  startMetadata,
  WrongClusterError,
} from '../../metadata/main.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import { splitEngines, type MetadataConfig } from '../../runtime/config/services.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { CommandError, EXIT_USAGE, listenFailure } from '../failure.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import { readSecret } from '../folder/secret.ts'
import { openAdmin } from './admin.ts'
import { partitionOptions } from './partition-options.ts'
import type { ServiceWorld } from './service-world.ts'

export interface OpenedMetadata {
  readonly address: string
  /** The service in this process, without a wire between. */
  readonly api: MetadataApi
  /** Resolves to why, when this process serves no more. */
  readonly failed: Promise<string>
}

/**
 * Starts the metadata service of a configuration, listening.
 * @param localShards reaches storage nodes of this process; without it, all are reached over the network
 */
export async function openMetadata(
  config: MetadataConfig,
  world: ServiceWorld,
  localShards?: ShardTransport,
): Promise<OpenedMetadata> {
  const { clock, random, log, shutdown } = world
  const secret = await readSecret(config.secretFile)
  const shards = (addressOf: (node: string) => string | undefined): ShardTransport => {
    if (localShards !== undefined) return localShards
    const network = createNetworkShardTransport({ addressOf, secret, clock, random, log })
    shutdown.add('shard transport of metadata', () => {
      network.close()
    })
    return network
  }
  const { host, port, clusterId, data, engine } = config
  if ((data === undefined) === (engine === undefined)) {
    throw new CommandError('metadata is kept in a folder or in an engine: give --data or --engine')
  }
  if (data !== undefined) {
    const lock = await holdServiceFolder(data, 'metadata', clock)
    shutdown.add('metadata folder', lock.release)
  }
  const nodes = Object.entries(config.nodes).flatMap(([zone, ids]) =>
    ids.map((id) => ({ id, zone, weight: 1 })),
  )
  try {
    const running = await startMetadata(
      {
        dataDirectory: data ?? '',
        engine: 'level',
        ...(engine === undefined ? {} : { engines: splitEngines(engine) }),
        nodeId: config.nodeId,
        ...(config.advertise === undefined ? {} : { advertise: config.advertise }),
        ...partitionOptions(config),
        listen: true,
        host,
        port,
        secret,
        clusterId,
        bootstrap: { nodes, pools: defaultPools(config.code) },
        existing: config.existing,
        nodeGraceMs: config.nodeGraceSeconds * 1000,
        program: packageFile.version,
      },
      { clock, random, shards, log: log.child({ service: 'metadata' }) },
    )
    shutdown.add('metadata', () => running.close())
    await openAdmin('metadata', config, secret, running.api, world)
    const failed = running.node.member.lost.then(
      () => `another process runs as metadata node ${config.nodeId}: give each its own --node-id`,
    )
    return { address: running.address ?? formatAddress({ host, port }), api: running.api, failed }
  } catch (error) {
    throw listenFailure(engineFailure(error), 'metadata', formatAddress({ host, port }))
  }
}

/** What is wrong with where the metadata lies, for people; other errors as they are. */
function engineFailure(cause: unknown): unknown {
  if (cause instanceof EngineSpecError) {
    return new CommandError(`engine: ${cause.message}`, { exitCode: EXIT_USAGE, cause })
  }
  if (cause instanceof EngineOpenError) return new CommandError(`metadata: ${cause.message}`, { cause })
  if (cause instanceof MemberTakenError) return new CommandError(cause.message, { cause })
  if (cause instanceof NoClusterError) {
    return new CommandError(`${cause.message}, and its storage nodes hold data`, {
      hints: [
        'Is it the right engine, database, table or prefix?',
        'Metadata comes from a backup:  ashlar metadata restore FILE --engine ADDRESS',
        'or, the last resort, of shards: ashlar fsck --rebuild --engine ADDRESS',
      ],
      cause,
    })
  }
  if (cause instanceof WrongClusterError) {
    const hints = ['Each cluster has an engine, or a table or prefix in it, of its own.']
    return new CommandError(cause.message, { hints, cause })
  }
  return cause
}
