import { formatAddress } from '../../runtime/config/fields.ts'
import type {
  GatewayConfig,
  MetadataConfig,
  ServiceKind,
  StorageNodeConfig,
  WorkerConfig,
} from '../../runtime/config/services.ts'
import { metadataPorts, type ClusterFile } from '../folder/cluster-file.ts'
import type { DataPaths } from '../folder/paths.ts'
import type { StartConfig } from './config.ts'

/** Internal services of a local cluster are for this machine alone. */
export const LOOPBACK = '127.0.0.1'

/** The configuration of every service of a local cluster. */
export interface ClusterPlan {
  /** At least one. */
  readonly metadata: readonly MetadataConfig[]
  readonly nodes: readonly StorageNodeConfig[]
  readonly worker: WorkerConfig
  readonly gateways: readonly GatewayConfig[]
}

/** What a storage node takes from the options of the start. */
export type NodeOptions = Pick<StorageNodeConfig, 'scrubDays' | 'compactionBytesPerSecond' | 'logLevel'>

/** One service as a process of its own. */
export interface ServicePlan {
  /** Name of its pid file, log and configuration: `metadata`, `metadata-2`, `storage-node-zone-a-1`, `gateway-1`. */
  readonly name: string
  readonly kind: ServiceKind
  readonly configFile: string
  readonly config: MetadataConfig | StorageNodeConfig | WorkerConfig | GatewayConfig
}

/**
 * What each service of a cluster is configured with. Gateways take the ports from `start.port` up.
 * @param existing the cluster is not a new one: metadata that has nothing of it is not its metadata
 */
export function planCluster(
  cluster: ClusterFile,
  paths: DataPaths,
  start: StartConfig,
  existing: boolean,
): ClusterPlan {
  const { logLevel } = start
  const metadata = metadataAddresses(cluster)
  const processes = metadataPorts(cluster)
  const shared = { secretFile: paths.secret, adminHost: LOOPBACK, logLevel }
  return {
    metadata: processes.map((port, index) => ({
      ...shared,
      host: LOOPBACK,
      ...(start.engine === undefined ? { data: paths.metadata } : { engine: start.engine }),
      nodeId: processes.length === 1 ? 'metadata' : `metadata-${index + 1}`,
      ...(start.splitWritesPerSecond !== undefined && { splitWritesPerSecond: start.splitWritesPerSecond }),
      ...(start.splitReadsPerSecond !== undefined && { splitReadsPerSecond: start.splitReadsPerSecond }),
      splitAfterSeconds: start.splitAfterSeconds,
      mergeAfterSeconds: start.mergeAfterSeconds,
      emulateS3Limits: start.emulateS3Limits,
      port,
      clusterId: cluster.clusterId,
      nodes: cluster.zones,
      existing,
      code: cluster.made.code,
      nodeGraceSeconds: start.nodeGraceSeconds,
    })),
    nodes: Object.entries(cluster.zones).flatMap(([zone, nodes]) =>
      nodes.map((node) => planNode(cluster, paths, zone, node, start)),
    ),
    worker: {
      ...shared,
      metadata,
      repairBytesPerSecond: start.repairBytesPerSecond,
      garbageGraceSeconds: start.garbageGraceSeconds,
      adminPort: start.adminPort ?? cluster.ports.admin,
    },
    gateways: Array.from({ length: start.gateways }, (_gateway, index) => ({
      ...shared,
      host: start.host,
      port: start.port === 0 ? 0 : start.port + index,
      ...(start.domain !== undefined && { domain: start.domain }),
      region: start.region,
      metadata,
      credentialsFile: paths.credentials,
      ...(start.accounts !== undefined && { accounts: start.accounts }),
      defaultObjectOwnership: start.defaultObjectOwnership,
      bucketsPerAccount: start.bucketsPerAccount,
    })),
  }
}

/** What one storage node of a cluster is configured with. */
export function planNode(
  cluster: ClusterFile,
  paths: DataPaths,
  zone: string,
  node: string,
  { scrubDays, compactionBytesPerSecond, logLevel }: NodeOptions,
): StorageNodeConfig {
  return {
    node,
    zone,
    clusterId: cluster.clusterId,
    data: paths.node(node),
    host: LOOPBACK,
    port: portOf(cluster, node),
    metadata: metadataAddresses(cluster),
    secretFile: paths.secret,
    scrubDays,
    compactionBytesPerSecond,
    adminHost: LOOPBACK,
    logLevel,
  }
}

/** The name of a storage node's files under `run/`. */
export function nodeService(node: string): string {
  return `storage-node-${node}`
}

/** `host:port` of each metadata process, with commas between. */
export function metadataAddresses(cluster: ClusterFile): string {
  return metadataPorts(cluster)
    .map((port) => formatAddress({ host: LOOPBACK, port }))
    .join(',')
}

/** The same as processes, in the order in which they are started; they are stopped in the reverse order. */
export function planProcesses(
  { metadata, nodes, worker, gateways }: ClusterPlan,
  paths: DataPaths,
): ServicePlan[] {
  const plans: Omit<ServicePlan, 'configFile'>[] = [
    ...metadata.map((config) => ({ name: config.nodeId, kind: 'metadata' as const, config })),
    ...nodes.map((config) => ({
      name: nodeService(config.node),
      kind: 'storage-node' as const,
      config,
    })),
    { name: 'worker', kind: 'worker', config: worker },
    ...gateways.map((config, index) => ({ name: `gateway-${index + 1}`, kind: 'gateway' as const, config })),
  ]
  return plans.map((plan) => ({
    ...plan,
    configFile: paths.config(plan.name),
    config: { ...plan.config, pidFile: paths.pid(plan.name) },
  }))
}

function portOf(cluster: ClusterFile, node: string): number {
  const port = cluster.ports.nodes[node]
  // openDataFolder gives every node a port, and checks what it reads back.
  if (port === undefined) throw new Error(`${node} has no port in cluster.json`)
  return port
}
