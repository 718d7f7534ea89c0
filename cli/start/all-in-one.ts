import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardService } from '../../proto/shard-transport.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { openGatewayOn } from '../services/gateway.ts'
import { openMetadata } from '../services/metadata.ts'
import type { ServiceWorld } from '../services/service-world.ts'
import { openLocalStorageNode } from '../services/storage-node.ts'
import type { ClusterPlan } from './plan.ts'
import { nodesUp, type OnMissing, type Wait } from './ready.ts'

/**
 * Starts every service in this process, over the in-process adapters. Metadata listens on loopback as well, so that
 * `ashlar status` can ask it from another process. A node that cannot start is left out: the cluster is there to lose some.
 * @returns addresses of the gateways, and metadata
 */
export async function startAllInOne(
  plan: ClusterPlan,
  { credentials }: DataFolder,
  world: ServiceWorld & Wait,
  onMissing: OnMissing,
): Promise<{ addresses: string[]; metadata: MetadataApi }> {
  world.waitFor('metadata')
  const metadata = (await openMetadata(plan.metadata, world)).api
  const services = new Map<string, ShardService>()
  const failures = new Map<string, unknown>()
  for (const config of plan.nodes) {
    world.waitFor(`storage node ${config.node}`)
    try {
      services.set(config.node, await openLocalStorageNode(config, metadata, world))
    } catch (error) {
      failures.set(config.node, error)
    }
  }
  if (services.size === 0) throw failures.values().next().value
  for (const [node, error] of failures) onMissing(node, error)
  await nodesUp(metadata, world.clock, new Set(services.keys()), world)
  const shards = createInProcessShardTransport((node) => services.get(node))
  const addresses: string[] = []
  for (const config of plan.gateways) {
    const { address } = await openGatewayOn(config, credentials, { metadata, shards }, world)
    addresses.push(address)
  }
  return { addresses, metadata }
}
