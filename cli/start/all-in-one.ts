import type { MetadataApi } from '../../proto/metadata-api.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { readClusterFile } from '../folder/cluster-file.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { FSCK_PATH, fsckStream } from '../fsck/stream.ts'
import { openAdmin } from '../services/admin.ts'
import { openGatewayOn } from '../services/gateway.ts'
import { openMetadata } from '../services/metadata.ts'
import { routeMetadata } from '../services/metadata-client.ts'
import type { ServiceWorld } from '../services/service-world.ts'
import { openWorkerOn } from '../services/worker.ts'
import { followTopology } from './follow-topology.ts'
import { createLocalNodes, type LocalNodes } from './local-nodes.ts'
import { planNode, type ClusterPlan, type NodeOptions } from './plan.ts'
import { nodesUp, type OnMissing, type Wait } from './ready.ts'

/** What came up. */
export interface StartedCluster {
  /** `host:port` of each gateway. */
  readonly addresses: readonly string[]
  /** `host:port` of metrics and the admin interface. */
  readonly admin: string
  readonly metadata: MetadataApi
}

/**
 * Starts every service in this process, over the in-process adapters. Metadata listens on loopback as well, so that
 * `ashlar status` can ask it from another process. A node that cannot start is left out: the cluster is there to lose some.
 * Nodes that are added later are started, and those that are removed stopped.
 */
export async function startAllInOne(
  plan: ClusterPlan,
  folder: DataFolder,
  options: NodeOptions,
  world: ServiceWorld & Wait,
  onMissing: OnMissing,
): Promise<StartedCluster> {
  world.waitFor('metadata')
  // Metadata keeps a copy of itself on the nodes, which are started after it.
  let services: LocalNodes['services'] = new Map()
  const shards = createInProcessShardTransport((node) => services.get(node))
  const [ofMetadata] = plan.metadata
  if (ofMetadata === undefined) throw new Error('a cluster has metadata')
  const opened = await openMetadata(ofMetadata, world, shards)
  const connection = routeMetadata(opened.api, folder.secret, world)
  world.shutdown.add('metadata client', () => connection.close())
  const metadata = connection.api
  const nodes = createLocalNodes(metadata, world)
  services = nodes.services
  const failures = new Map<string, unknown>()
  for (const config of plan.nodes) {
    world.waitFor(`storage node ${config.node}`)
    try {
      await nodes.start(config)
    } catch (error) {
      failures.set(config.node, error)
    }
  }
  if (nodes.services.size === 0) throw failures.values().next().value
  for (const [node, error] of failures) onMissing(node, error)
  await nodesUp(metadata, world.clock, new Set(nodes.services.keys()), world)
  const addresses: string[] = []
  for (const config of plan.gateways) {
    const { address } = await openGatewayOn(config, folder.credentials, { metadata, shards }, world)
    addresses.push(address)
  }
  await openWorkerOn(plan.worker, { metadata, shards }, world)
  const streams = new Map([[FSCK_PATH, fsckStream({ ...world, metadata, shards })]])
  const admin = (await openAdmin('cluster', plan.worker, folder.secret, metadata, world, streams)) ?? ''

  const leaving = new AbortController()
  const following = followTopology({
    metadata,
    clock: world.clock,
    signal: leaving.signal,
    readFile: () => readClusterFile(folder.paths.cluster),
    running: () => nodes.services.keys(),
    known: (node) => nodes.known(node),
    async start(cluster, zone, node) {
      try {
        await nodes.start(planNode(cluster, folder.paths, zone, node, options))
        world.log.info('a storage node was added', { node, zone })
      } catch (error) {
        onMissing(node, error)
      }
    },
    async stop(node) {
      await nodes.stop(node)
      world.log.info('a storage node was removed', { node })
    },
  })
  world.shutdown.add('topology', async () => {
    leaving.abort()
    await following
  })
  return { addresses, admin, metadata }
}
