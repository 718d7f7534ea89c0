import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardService } from '../../proto/shard-transport.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import type { StorageNodeConfig } from '../../runtime/config/services.ts'
import { startStorageNode } from '../../storage-node/main.ts'
import { listenFailure } from '../failure.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import { readSecret } from '../folder/secret.ts'
import { openAdmin } from './admin.ts'
import { connectMetadata } from './metadata-client.ts'
import type { ServiceWorld } from './service-world.ts'

/** Starts the storage node of a configuration, listening, and lets it join the cluster. */
export async function openStorageNode(
  config: StorageNodeConfig,
  world: ServiceWorld,
): Promise<{ readonly address: string }> {
  const secret = await readSecret(config.secretFile)
  const { host, port, advertise } = config
  const metadata = connectMetadata(config.metadata, secret, world)
  world.shutdown.add('metadata client', () => metadata.close())
  const listen = { host, port, secret, ...(advertise !== undefined && { advertise }) }
  const { address } = await openNode(config, metadata.api, world, listen)
  await openAdmin('storage-node', config, secret, metadata.api, world)
  return { address: address ?? formatAddress({ host, port }) }
}

/** The same inside a process that reaches it without a network. */
export async function openLocalStorageNode(
  config: StorageNodeConfig,
  metadata: MetadataApi,
  world: ServiceWorld,
): Promise<ShardService> {
  return (await openNode(config, metadata, world, undefined)).service
}

type Listen = NonNullable<Parameters<typeof startStorageNode>[0]['listen']>

async function openNode(
  config: StorageNodeConfig,
  metadata: MetadataApi,
  { clock, random, log, shutdown }: ServiceWorld,
  listen: Listen | undefined,
): Promise<Awaited<ReturnType<typeof startStorageNode>>> {
  const { node, zone, data, scrubDays, compactionBytesPerSecond, clusterId } = config
  const name = `storage node ${node}`
  const lock = await holdServiceFolder(data, name, clock)
  shutdown.add(`folder of ${name}`, lock.release)
  try {
    const running = await startStorageNode(
      {
        nodeId: node,
        zone,
        dataDirectory: data,
        listen,
        scrubDays,
        compactionBytesPerS: compactionBytesPerSecond,
        ...(clusterId === undefined ? {} : { clusterId }),
      },
      { clock, random, log, metadata },
    )
    shutdown.add(name, () => running.close())
    return running
  } catch (error) {
    throw listenFailure(error, name, listen === undefined ? '' : formatAddress(listen))
  }
}
