import { formatAddress } from '../../runtime/config/fields.ts'
import type {
  GatewayConfig,
  MetadataConfig,
  ServiceKind,
  StorageNodeConfig,
} from '../../runtime/config/services.ts'
import { nodesByZone, type ClusterFile } from '../folder/cluster-file.ts'
import type { DataPaths } from '../folder/paths.ts'
import type { StartConfig } from './config.ts'

/** Internal services of a local cluster are for this machine alone. */
export const LOOPBACK = '127.0.0.1'

/** The configuration of every service of a local cluster. */
export interface ClusterPlan {
  readonly metadata: MetadataConfig
  readonly nodes: readonly StorageNodeConfig[]
  readonly gateways: readonly GatewayConfig[]
}

/** One service as a process of its own. */
export interface ServicePlan {
  /** Name of its pid file, log and configuration: `metadata`, `storage-node-zone-a-1`, `gateway-1`. */
  readonly name: string
  readonly kind: ServiceKind
  readonly configFile: string
  readonly config: MetadataConfig | StorageNodeConfig | GatewayConfig
}

/** What each service of a cluster is configured with. Gateways take the ports from `start.port` up. */
export function planCluster(cluster: ClusterFile, paths: DataPaths, start: StartConfig): ClusterPlan {
  const { logLevel } = start
  const zones = nodesByZone(cluster)
  const metadataAddress = formatAddress({ host: LOOPBACK, port: cluster.ports.metadata })
  const shared = { host: LOOPBACK, secretFile: paths.secret, logLevel }
  return {
    metadata: {
      ...shared,
      data: paths.metadata,
      port: cluster.ports.metadata,
      clusterId: cluster.clusterId,
      nodes: zones,
      code: cluster.code,
    },
    nodes: Object.entries(zones).flatMap(([zone, nodes]) =>
      nodes.map((node) => ({
        ...shared,
        node,
        zone,
        data: paths.node(node),
        port: portOf(cluster, node),
        metadata: metadataAddress,
      })),
    ),
    gateways: Array.from({ length: start.gateways }, (_gateway, index) => ({
      ...shared,
      host: start.host,
      port: start.port === 0 ? 0 : start.port + index,
      ...(start.domain !== undefined && { domain: start.domain }),
      region: start.region,
      metadata: metadataAddress,
      credentialsFile: paths.credentials,
      ...(start.accounts !== undefined && { accounts: start.accounts }),
      defaultObjectOwnership: start.defaultObjectOwnership,
      bucketsPerAccount: start.bucketsPerAccount,
    })),
  }
}

/** The same as processes, in the order in which they are started; they are stopped in the reverse order. */
export function planProcesses({ metadata, nodes, gateways }: ClusterPlan, paths: DataPaths): ServicePlan[] {
  const plans: Omit<ServicePlan, 'configFile'>[] = [
    { name: 'metadata', kind: 'metadata', config: metadata },
    ...nodes.map((config) => ({
      name: `storage-node-${config.node}`,
      kind: 'storage-node' as const,
      config,
    })),
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
