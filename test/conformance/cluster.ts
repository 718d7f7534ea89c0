/** A whole cluster in this process: metadata in memory, six storage nodes on disks in memory, and gateways on ports. */
import type { PartitionRates } from '../../core/admission/s3-rates.ts'
import { SHARD_LIST_MAX } from '../../core/limits.ts'
import { startGateway, type GatewayConfig } from '../../gateway/main.ts'
import type { BucketDefaults } from '../../gateway/operations/services.ts'
import { defaultPools, startMetadata, type RunningMetadata } from '../../metadata/main.ts'
import type { MetadataApi, MetadataOperation, MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { ShardService } from '../../proto/shard-transport.ts'
import type { AccountConfig } from '../../runtime/config/accounts.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { startMembership } from '../../storage-node/membership.ts'
import { StorageNode } from '../../storage-node/node.ts'

const CLUSTER_ID = 'conformance'
const ZONES = ['zone-a', 'zone-b', 'zone-c']
const nodes = ZONES.flatMap((zone) => [1, 2].map((number) => ({ id: `${zone}-${number}`, zone, weight: 1 })))

/** What tests may break. */
export interface Faults {
  /** Storage nodes that cannot be reached. */
  readonly unreachable: Set<string>
  /** Called, and waited for, before every request of the gateway to metadata; what it returns is thrown. */
  metadata: (
    operation: MetadataOperation,
    request: MetadataRequestInit<MetadataOperation>,
  ) => Error | undefined | Promise<Error | undefined>
}

export interface TestCluster {
  /** `host:port` of S3. */
  readonly address: string
  /** The same of every gateway, that one first. */
  readonly addresses: readonly string[]
  readonly metadata: MetadataApi
  readonly metadataNode: RunningMetadata['node']
  readonly nodes: readonly string[]
  readonly faults: Faults
  /** Live shards on all storage nodes together. */
  shardCount(): Promise<number>
  /** Ids of the blobs that have live shards on any storage node. */
  blobs(): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

export interface TestClusterOptions {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Buckets are served as `<bucket>.<domain>` too. */
  readonly domains: readonly string[]
  readonly bucketDefaults?: Partial<BucketDefaults>
  /** Accounts beside the root account, whose credentials those above are. */
  readonly accounts?: readonly AccountConfig[]
  /** One unless it says otherwise. */
  readonly gateways?: number
  readonly keepAlive?: GatewayConfig['keepAlive']
  /** Of the gateways. */
  readonly log?: Log
  /** Of metadata: the system's unless it says otherwise. */
  readonly metadataClock?: Clock
  /** Of each partition of metadata; all that it can unless it says otherwise. */
  readonly heldTo?: PartitionRates
}

export async function startTestCluster({
  region,
  credentials,
  domains,
  bucketDefaults = {},
  accounts = [],
  gateways: count = 1,
  keepAlive,
  log = silentLog,
  metadataClock = systemClock,
  heldTo,
}: TestClusterOptions): Promise<TestCluster> {
  const world = { clock: systemClock, random: systemRandom, log: silentLog }
  const metadata = await startMetadata(
    {
      engine: 'memory',
      dataDirectory: '',
      listen: false,
      host: '',
      port: 0,
      secret: '',
      clusterId: CLUSTER_ID,
      bootstrap: { nodes, pools: defaultPools() },
      ...(heldTo === undefined ? {} : { heldTo }),
    },
    { ...world, clock: metadataClock },
  )
  const services = new Map<string, ShardService>()
  const closing: (() => Promise<void>)[] = []
  for (const { id, zone } of nodes) {
    const identity = { nodeId: id, zone, clusterId: CLUSTER_ID }
    const ports = { ...world, disk: new MemoryDisk(), index: new MemoryIndex() }
    const member = await StorageNode.open(identity, ports)
    const membership = startMembership({
      ...world,
      member,
      address: '',
      clusterId: CLUSTER_ID,
      metadata: metadata.api,
    })
    services.set(id, member)
    closing.push(
      () => membership.close(),
      () => member.close(),
    )
  }
  await allUp(metadata.api)
  const faults: Faults = { unreachable: new Set(), metadata: () => undefined }
  const start = () =>
    startGateway(
      {
        host: '127.0.0.1',
        port: 0,
        domains,
        region,
        credentials,
        bucketDefaults,
        accounts,
        ...(keepAlive === undefined ? {} : { keepAlive }),
      },
      {
        ...world,
        log,
        metadata: breakable(metadata.api, faults),
        shards: createInProcessShardTransport((id) =>
          faults.unreachable.has(id) ? undefined : services.get(id),
        ),
      },
    )
  const gateway = await start()
  const gateways = [gateway]
  while (gateways.length < count) gateways.push(await start())
  return {
    address: gateway.address,
    addresses: gateways.map(({ address }) => address),
    metadata: metadata.api,
    metadataNode: metadata.node,
    nodes: nodes.map(({ id }) => id),
    faults,
    async shardCount() {
      const statuses = await Promise.all([...services.values()].map((service) => service.status()))
      return statuses.reduce((sum, { shards }) => sum + shards, 0)
    },
    blobs: () => blobsOf(metadata.api, [...services.values()]),
    async close() {
      for (const one of gateways) await one.close(AbortSignal.abort())
      for (const close of closing) await close()
      await metadata.close()
    },
  }
}

/** Every node has sent its first heartbeat. */
async function allUp(metadata: MetadataApi): Promise<void> {
  for (;;) {
    const cluster = await metadata.call('getCluster', {})
    if (cluster.nodes.length === nodes.length) return
    await systemClock.sleep(1)
  }
}

async function blobsOf(metadata: MetadataApi, services: readonly ShardService[]): Promise<Set<string>> {
  const { map } = await metadata.call('getCluster', {})
  const groups = map?.pools.flatMap((pool) => pool.groups.map(({ id }) => id)) ?? []
  const blobs = new Set<string>()
  for (const service of services) {
    for (const group of groups) {
      const { shards, truncated } = await service.list({ group, limit: SHARD_LIST_MAX })
      if (truncated) throw new Error('more shards in a group than a test is thought to make')
      for (const { address } of shards) blobs.add(address.blob)
    }
  }
  return blobs
}

function breakable(metadata: MetadataApi, faults: Faults): MetadataApi {
  return {
    async call(operation, request, signal) {
      const fault = await faults.metadata(operation, request)
      if (fault !== undefined) throw fault
      return await metadata.call(operation, request, signal)
    },
  }
}
