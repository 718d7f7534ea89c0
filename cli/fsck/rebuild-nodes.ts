import type { PlacementNode } from '../../core/placement/rendezvous.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardService, ShardTransport } from '../../proto/shard-transport.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { startStorageNode } from '../../storage-node/main.ts'
import type { Blind } from '../../workers/fsck/context.ts'
import { CommandError } from '../failure.ts'
import type { ClusterFile } from '../folder/cluster-file.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import type { DataPaths } from '../folder/paths.ts'
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
export async function openNodes(cluster: ClusterFile, paths: DataPaths, world: World): Promise<OpenedNodes> {
  const { clock, random } = world
  const services = new Map<string, ShardService>()
  const blind: Blind[] = []
  const closers: (() => Promise<void>)[] = []
  const nodes = Object.entries(cluster.zones).flatMap(([zone, names]) =>
    names.map((id) => ({ id, zone, weight: 1 })),
  )
  for (const { id, zone } of nodes) {
    const dataDirectory = paths.node(id)
    try {
      const lock = await holdServiceFolder(dataDirectory, `storage node ${id}`, clock)
      closers.push(async () => {
        lock.release()
      })
      const config = { nodeId: id, zone, dataDirectory, clusterId: cluster.clusterId, scrubDays: 0 }
      const running = await startStorageNode(config, { clock, random, log: silentLog, metadata: NO_METADATA })
      closers.push(() => running.close())
      services.set(id, running.service)
    } catch (error) {
      blind.push({ what: `node ${id}`, why: error instanceof Error ? error.message : String(error) })
    }
  }
  const close = async (): Promise<void> => {
    for (const closer of closers.toReversed()) await closer()
  }
  if (services.size === 0) {
    await close()
    throw new CommandError(
      `no storage node of ${paths.folder} can be opened: ${blind[0]?.why ?? 'it has none'}`,
    )
  }
  return { nodes, shards: createInProcessShardTransport((id) => services.get(id)), blind, close }
}

/** Nodes try on to reach it, and serve meanwhile. */
const NO_METADATA: MetadataApi = {
  call: () => Promise.reject(new MetadataError(FailureCode.UNAVAILABLE, 'there is no metadata')),
}
