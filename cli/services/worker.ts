import { hostname } from 'node:os'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { WorkerConfig } from '../../runtime/config/services.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { startWorker } from '../../workers/main.ts'
import { readSecret } from '../folder/secret.ts'
import { openAdmin } from './admin.ts'
import { overhearAddresses } from './address-book.ts'
import { connectMetadata } from './metadata-client.ts'
import type { ServiceWorld } from './service-world.ts'

/** Starts the background work of a configuration, over the network adapters. It listens only where the admin interface does. */
export async function openWorker(
  config: WorkerConfig,
  world: ServiceWorld,
): Promise<{ readonly address: string }> {
  const { clock, random, log, shutdown } = world
  const secret = await readSecret(config.secretFile)
  const connection = connectMetadata(config.metadata, secret, world)
  shutdown.add('metadata client', () => connection.close())
  const { metadata, addressOf } = overhearAddresses(connection.api)
  const shards = createNetworkShardTransport({ addressOf, secret, clock, random, log })
  shutdown.add('shard transport', () => {
    shards.close()
  })
  await openWorkerOn(config, { metadata, shards }, world)
  return { address: (await openAdmin('worker', config, secret, connection.api, world)) ?? '' }
}

/** The same over adapters that are there already. */
export async function openWorkerOn(
  config: WorkerConfig,
  cluster: { readonly metadata: MetadataApi; readonly shards: ShardTransport },
  { clock, random, log, shutdown }: ServiceWorld,
): Promise<void> {
  const running = await startWorker(
    {
      name: `${hostname()}/${process.pid}`,
      repairBytesPerS: config.repairBytesPerSecond,
      garbageGraceMs: config.garbageGraceSeconds * 1000,
    },
    { ...cluster, clock, random, log },
  )
  shutdown.add('worker', () => running.close())
}
