import packageFile from '../../package.json' with { type: 'json' }
import { defaultPools, startMetadata } from '../../metadata/main.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import type { MetadataConfig } from '../../runtime/config/services.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { listenFailure } from '../failure.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import { readSecret } from '../folder/secret.ts'
import { openAdmin } from './admin.ts'
import type { ServiceWorld } from './service-world.ts'

export interface OpenedMetadata {
  readonly address: string
  /** The service in this process, without a wire between. */
  readonly api: MetadataApi
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
  const lock = await holdServiceFolder(config.data, 'metadata', clock)
  shutdown.add('metadata folder', lock.release)
  const { host, port, clusterId } = config
  const nodes = Object.entries(config.nodes).flatMap(([zone, ids]) =>
    ids.map((id) => ({ id, zone, weight: 1 })),
  )
  try {
    const running = await startMetadata(
      {
        dataDirectory: config.data,
        engine: 'level',
        listen: true,
        host,
        port,
        secret,
        clusterId,
        bootstrap: { nodes, pools: defaultPools(config.code) },
        nodeGraceMs: config.nodeGraceSeconds * 1000,
        program: packageFile.version,
      },
      { clock, random, shards, log: log.child({ service: 'metadata' }) },
    )
    shutdown.add('metadata', () => running.close())
    await openAdmin('metadata', config, secret, running.api, world)
    return { address: running.address ?? formatAddress({ host, port }), api: running.api }
  } catch (error) {
    throw listenFailure(error, 'metadata', formatAddress({ host, port }))
  }
}
