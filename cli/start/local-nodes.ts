import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardService } from '../../proto/shard-transport.ts'
import type { StorageNodeConfig } from '../../runtime/config/services.ts'
import { createShutdown, type Shutdown } from '../../runtime/shutdown/shutdown.ts'
import type { ServiceWorld } from '../services/service-world.ts'
import { openLocalStorageNode } from '../services/storage-node.ts'

/** The storage nodes that run in this process. */
export interface LocalNodes {
  /** By name, while they run. */
  readonly services: ReadonlyMap<string, ShardService>
  /** Was ever tried to be started by this process. */
  known(node: string): boolean
  /** @throws what keeps it from starting */
  start(config: StorageNodeConfig): Promise<void>
  /** Ends one; the others go on. */
  stop(node: string): Promise<void>
}

/** Each of them can be stopped by itself, and all are with the process. */
export function createLocalNodes(metadata: MetadataApi, world: ServiceWorld): LocalNodes {
  const services = new Map<string, ShardService>()
  const shutdowns = new Map<string, Shutdown>()
  const known = new Set<string>()
  return {
    services,
    known: (node) => known.has(node),
    async start(config) {
      known.add(config.node)
      const shutdown = createShutdown({ clock: world.clock, log: world.log, graceMs: SHUTDOWN_GRACE_MS })
      try {
        services.set(config.node, await openLocalStorageNode(config, metadata, { ...world, shutdown }))
      } catch (error) {
        await shutdown.close()
        throw error
      }
      shutdowns.set(config.node, shutdown)
      world.shutdown.add(`storage node ${config.node}`, async () => void (await shutdown.close()))
    },
    async stop(node) {
      services.delete(node)
      await shutdowns.get(node)?.close()
    },
  }
}
