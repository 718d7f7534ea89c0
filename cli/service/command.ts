import { SHUTDOWN_GRACE_MS } from '../../core/limits.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import {
  gatewayConfig,
  metadataConfig,
  storageNodeConfig,
  workerConfig,
  type ServiceKind,
} from '../../runtime/config/services.ts'
import { createLog } from '../../runtime/log/pino-log.ts'
import { createShutdown } from '../../runtime/shutdown/shutdown.ts'
import { CommandError, EXIT_FAILURE } from '../failure.ts'
import type { Flags } from '../program.ts'
import { writePidFile } from '../processes/pid-file.ts'
import { listenForStop } from '../processes/stop.ts'
import type { ReadyMessage } from '../processes/messages.ts'
import type { ServiceWorld } from '../services/service-world.ts'
import type { World } from '../world.ts'

/** What all services have in common of their configuration. */
interface CommonConfig {
  readonly logLevel: string
  readonly pidFile?: string | undefined
}

/**
 * Runs one service until asked to stop. Resolves to the exit code. Only that service's code is loaded: a storage node has no
 * use for the schemas of S3, and starts in half the time without them.
 */
export async function runService(
  kind: ServiceKind,
  configFile: string | undefined,
  flags: Flags,
  world: World,
): Promise<number> {
  const layers = { ...world, flags }
  switch (kind) {
    case 'metadata': {
      const { openMetadata } = await import('../services/metadata.ts')
      const config = await loadConfig(metadataConfig, configFile, layers)
      return await serve('metadata', config, world, (service) => openMetadata(config, service))
    }
    case 'storage-node': {
      const { openStorageNode } = await import('../services/storage-node.ts')
      const config = await loadConfig(storageNodeConfig, configFile, layers)
      return await serve(`storage node ${config.node}`, config, world, (service) =>
        openStorageNode(config, service),
      )
    }
    case 'gateway': {
      const { openGateway } = await import('../services/gateway.ts')
      const config = await loadConfig(gatewayConfig, configFile, layers)
      return await serve('gateway', config, world, (service) => openGateway(config, service))
    }
    case 'worker': {
      const { openWorker } = await import('../services/worker.ts')
      const config = await loadConfig(workerConfig, configFile, layers)
      return await serve('worker', config, world, (service) => openWorker(config, service))
    }
  }
}

interface Opened {
  readonly address: string
  /** Resolves to what happened when the service cannot go on. */
  readonly failed?: Promise<string>
}

async function serve(
  name: string,
  { logLevel, pidFile }: CommonConfig,
  world: World,
  open: (service: ServiceWorld) => Promise<Opened>,
): Promise<number> {
  const { clock } = world
  const log = createLog(logLevel)
  const stop = listenForStop(clock)
  const shutdown = createShutdown({ clock, log, graceMs: SHUTDOWN_GRACE_MS })
  let removePidFile: (() => Promise<void>) | undefined
  let failed: Promise<string> | undefined
  // Added first, so removed last: while the process is there, so is its file.
  shutdown.add('pid file', () => removePidFile?.())
  try {
    const opened = await open({ ...world, log, shutdown, signal: stop.signal })
    const { address } = opened
    failed = opened.failed
    // Only now is it this process that the file should name: a second one of the same service has failed above.
    if (pidFile !== undefined) removePidFile = await writePidFile(pidFile)
    world.out(`${name} ready${address === '' ? '' : ` on ${address}`}\n`)
    const ready: ReadyMessage = { ready: true, address }
    process.send?.(ready)
  } catch (error) {
    await shutdown.close()
    if (stop.signal.aborted) return 0
    throw error
  }
  const failure = await Promise.race([stop.requested, ...(failed === undefined ? [] : [failed])])
  const closed = await shutdown.close()
  if (typeof failure === 'string') throw new CommandError(failure)
  return closed ? 0 : EXIT_FAILURE
}
