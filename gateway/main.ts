import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import { nodeDigests } from '../runtime/crypto/digests.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import { newIdentifier } from '../runtime/random/identifier.ts'
import { createStore, defaultComputeWorkers } from '../store/store.ts'
import type { AccountConfig } from '../runtime/config/accounts.ts'
import type { Account } from './accounts/account.ts'
import { createAccounts } from './accounts/directory.ts'
import { createAuthenticator } from './authenticate/authenticate.ts'
import { createAuthorize } from './authorize/authorize.ts'
import { createGateway } from './gateway.ts'
import { accessLog } from './http/access-log.ts'
import type { KeepAliveTimes } from './http/keep-alive.ts'
import { corsLookup } from './operations/cors/bucket-cors.ts'
import { S3_BUCKET_DEFAULTS, type BucketDefaults } from './operations/services.ts'
import { s3Table } from './operations/table.ts'

export interface GatewayConfig {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Buckets are served as `<bucket>.<domain>` too. */
  readonly domains: readonly string[]
  /** Region that clients sign. */
  readonly region: string
  /** The root account's key pair. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** S3's own defaults where left out. */
  readonly bucketDefaults?: Partial<BucketDefaults>
  /** Accounts besides the root account. */
  readonly accounts?: readonly AccountConfig[]
  /** When long operations begin to answer; for tests. */
  readonly keepAlive?: KeepAliveTimes
}

export interface GatewayPorts {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface RunningGateway {
  /** `host:port` it listens on. */
  readonly address: string
  /** Stops accepting and ends what is in flight; when `hurry` aborts, the rest is cut off. */
  close(hurry?: AbortSignal): Promise<void>
}

/**
 * Starts a gateway: a store over the cluster, and S3 over HTTP in front of it.
 * @throws the error of `listen`: EADDRINUSE, EACCES …
 */
export async function startGateway(config: GatewayConfig, ports: GatewayPorts): Promise<RunningGateway> {
  const { clock, random, metadata, shards } = ports
  const { host, port, domains, region, credentials } = config
  const log = ports.log.child({ service: 'gateway' })
  const accounts = createAccounts(credentials, config.accounts ?? [], nodeDigests)
  const settings = { computeWorkers: defaultComputeWorkers(availableParallelism()) }
  const store = createStore({ metadata, shards, clock, random, log, settings })
  const gateway = createGateway({
    operations: s3Table({
      store,
      newUploadId: () => newIdentifier(clock, random),
      newVersion: () => newIdentifier(clock, random),
      bucketDefaults: { ...S3_BUCKET_DEFAULTS, ...config.bucketDefaults },
    }),
    authenticate: createAuthenticator<Account>({
      credentials: accounts.credentials,
      endpoint: { region, services: ['s3'] },
      digests: nodeDigests,
      nowMs: () => clock.nowMs(),
    }),
    digests: nodeDigests,
    authorize: createAuthorize({ metadata, directory: accounts.directory }),
    cors: corsLookup(metadata),
    clock,
    random,
    log,
    recorders: [accessLog(log)],
    domains,
    region,
    ...(config.keepAlive === undefined ? {} : { keepAlive: config.keepAlive }),
  })
  const { server } = gateway
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    await store.close()
    throw error
  }
  return {
    address: addressOf(host, server.address()),
    async close(hurry) {
      await gateway.close(hurry)
      await store.close()
    },
  }
}

function addressOf(host: string, bound: { port: number } | string | null): string {
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')
  return host.includes(':') ? `[${host}]:${bound.port}` : `${host}:${bound.port}`
}
