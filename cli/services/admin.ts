import packageFile from '../../package.json' with { type: 'json' }
import { serveAdmin, type AdminStream } from '../../runtime/admin/server.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { adminRoutes } from '../admin/routes.ts'
import { watchCluster } from '../admin/watch.ts'
import { listenFailure } from '../failure.ts'
import type { ServiceWorld } from './service-world.ts'

export interface AdminOptions {
  readonly adminHost: string
  /** Without it, nothing is opened. */
  readonly adminPort?: number | undefined
}

/**
 * Opens metrics and the admin interface of a process, if its configuration asks for them.
 * @param service as metrics name it
 * @param streams what this process alone can answer
 * @returns `host:port`; undefined where they are off
 */
export async function openAdmin(
  service: string,
  { adminHost: host, adminPort: port }: AdminOptions,
  secret: string,
  metadata: MetadataApi,
  { clock, shutdown }: ServiceWorld,
  streams: ReadonlyMap<string, AdminStream> = new Map(),
): Promise<string | undefined> {
  if (port === undefined) return undefined
  const watch = watchCluster(metadata, clock)
  shutdown.add('watch of the cluster', () => watch.close())
  const startedMs = clock.monotonicMs()
  const routes = adminRoutes({
    seen: () => watch.seen(),
    process: () => ({
      version: packageFile.version,
      service,
      uptimeSeconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
      residentBytes: process.memoryUsage.rss(),
    }),
    clock,
  })
  try {
    const running = await serveAdmin({ host, port, secret }, routes, streams)
    shutdown.add('admin interface', () => running.close())
    return running.address
  } catch (error) {
    throw listenFailure(error, 'admin interface', formatAddress({ host, port }))
  }
}
