import { GATEWAY_DRAIN_MS } from '../../core/limits.ts'
import { startGateway, type GatewayPorts } from '../../gateway/main.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import type { GatewayConfig } from '../../runtime/config/services.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { CommandError, listenFailure } from '../failure.ts'
import { readAccounts } from '../folder/accounts.ts'
import {
  ACCESS_KEY_VARIABLE,
  credentialsFromEnvironment,
  readCredentials,
  SECRET_KEY_VARIABLE,
  type Credentials,
} from '../folder/credentials.ts'
import { readSecret } from '../folder/secret.ts'
import { openAdmin } from './admin.ts'
import { overhearAddresses } from './address-book.ts'
import { connectMetadata } from './metadata-client.ts'
import type { ServiceWorld } from './service-world.ts'

/** Starts the gateway of a configuration, over the network adapters. */
export async function openGateway(
  config: GatewayConfig,
  world: ServiceWorld,
): Promise<{ readonly address: string }> {
  const { environment, clock, random, log, shutdown } = world
  const credentials = await credentialsOf(config, environment)
  const secret = await readSecret(config.secretFile)
  const connection = connectMetadata(config.metadata, secret, world)
  shutdown.add('metadata client', () => connection.close())
  const { metadata, addressOf } = overhearAddresses(connection.api)
  const shards = createNetworkShardTransport({ addressOf, secret, clock, random, log })
  shutdown.add('shard transport', () => {
    shards.close()
  })
  const opened = await openGatewayOn(config, credentials, { metadata, shards }, world)
  await openAdmin('gateway', config, secret, connection.api, world)
  return opened
}

/** The same over adapters that are there already. */
export async function openGatewayOn(
  config: GatewayConfig,
  credentials: Credentials,
  cluster: Pick<GatewayPorts, 'metadata' | 'shards'>,
  { clock, random, log, shutdown }: ServiceWorld,
): Promise<{ readonly address: string }> {
  const { host, port, domain, region } = config
  const accounts = config.accounts === undefined ? [] : await readAccounts(config.accounts)
  const bucketDefaults = {
    objectOwnership: config.defaultObjectOwnership,
    limitPerOwner: config.bucketsPerAccount,
  }
  try {
    const running = await startGateway(
      {
        host,
        port,
        domains: domain === undefined ? [] : [domain],
        region,
        credentials,
        accounts,
        bucketDefaults,
      },
      { ...cluster, clock, random, log },
    )
    shutdown.add('gateway', async () => {
      const hurry = new AbortController()
      const cancel = clock.after(GATEWAY_DRAIN_MS, () => {
        hurry.abort()
      })
      await running.close(hurry.signal)
      cancel()
    })
    return { address: running.address }
  } catch (error) {
    throw listenFailure(error, 'gateway', formatAddress({ host, port }))
  }
}

async function credentialsOf(
  { credentialsFile }: GatewayConfig,
  environment: ServiceWorld['environment'],
): Promise<Credentials> {
  const given = credentialsFromEnvironment(environment)
  if (given !== undefined) return given
  const read = credentialsFile === undefined ? undefined : await readCredentials(credentialsFile)
  if (read !== undefined) return read
  throw new CommandError(
    credentialsFile === undefined
      ? 'the gateway has no root credentials'
      : `${credentialsFile}: no such file`,
    { hints: [`Give --credentials-file, or set ${ACCESS_KEY_VARIABLE} and ${SECRET_KEY_VARIABLE}.`] },
  )
}
