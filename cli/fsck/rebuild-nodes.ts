import type { PlacementNode } from '../../core/placement/rendezvous.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import type { Blind } from '../../workers/fsck/context.ts'
import { CommandError } from '../failure.ts'
import type { ClusterFile } from '../folder/cluster-file.ts'
import { openRecoverySource } from '../metadata/recovery-source.ts'
import type { World } from '../world.ts'

/** The storage nodes of a cluster that has no metadata. */
export interface OpenedNodes {
  readonly nodes: readonly PlacementNode[]
  readonly shards: ShardTransport
  /** Those that could not be opened. */
  readonly blind: readonly Blind[]
  close(): Promise<void>
}

/** Nodes that run, by zone and name. */
export function reachNodes(
  zones: Readonly<Record<string, Readonly<Record<string, string>>>>,
  secret: string,
  { clock, random }: World,
): OpenedNodes {
  const addresses = new Map(Object.values(zones).flatMap((nodes) => Object.entries(nodes)))
  const addressOf = (node: string) => addresses.get(node)
  const shards = createNetworkShardTransport({ addressOf, secret, clock, random, log: silentLog })
  const nodes = Object.entries(zones).flatMap(([zone, names]) =>
    Object.keys(names).map((id) => ({ id, zone, weight: 1 })),
  )
  return {
    nodes,
    shards,
    blind: [],
    close: async () => {
      shards.close()
    },
  }
}

/** Opens the nodes of a local cluster in this process, each in its folder. @throws {CommandError} none of them opens */
export async function openNodes(cluster: ClusterFile, data: string, world: World): Promise<OpenedNodes> {
  const source = await openRecoverySource({ data }, cluster, world)
  const nodes = Object.entries(cluster.zones).flatMap(([zone, names]) =>
    names.map((id) => ({ id, zone, weight: 1 })),
  )
  const opened = new Set(source.nodes)
  if (opened.size === 0) {
    await source.close()
    throw new CommandError(`no storage node of ${data} can be opened`)
  }
  const blind = nodes.filter(({ id }) => !opened.has(id))
  return {
    nodes,
    shards: source.shards,
    blind: blind.map(({ id }) => ({ what: `node ${id}`, why: 'it cannot be opened' })),
    close: () => source.close(),
  }
}
