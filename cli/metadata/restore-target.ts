import { readFile } from 'node:fs/promises'
import type { Engine } from '../../metadata/engine/engine.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { openEngine } from '../../metadata/engine/open.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { CommandError } from '../failure.ts'
import {
  type ClusterFile,
  readClusterFile,
  withMetadataIn,
  writeClusterFile,
} from '../folder/cluster-file.ts'
import { holdServiceFolder } from '../folder/data-folder.ts'
import { tryLock } from '../folder/lock.ts'
import { dataPaths } from '../folder/paths.ts'
import { redactedEngine } from './redact.ts'
import type { World } from '../world.ts'

/** An engine to be filled, which nobody else uses meanwhile. */
export interface RestoreTarget {
  readonly engine: Engine
  /** For people. */
  readonly name: string
  /** It is filled: a local cluster whose folder it is in has its metadata there from now on. */
  use(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the engine that `--engine` names, or that of the folder of a local cluster or of a metadata service, which is held.
 * @throws {CommandError} the folder is in use, or of another cluster
 * @throws {EngineSpecError} and what opening throws
 */
export async function openRestoreTarget(
  { data, engine: spec }: { readonly data: string; readonly engine?: string | undefined },
  clusterId: string,
  world: World,
): Promise<RestoreTarget> {
  if (spec !== undefined) {
    const ports = { clock: world.clock, random: world.random, log: silentLog, readFile }
    const engine = await openEngine(spec, ports)
    return { engine, name: redactedEngine(spec), use: async () => undefined, close: () => engine.close() }
  }
  const held = await holdMetadataFolder(data, clusterId, world)
  try {
    const engine = await LevelEngine.open(held.folder)
    return {
      engine,
      name: held.folder,
      use: held.use,
      async close() {
        await engine.close()
        held.release()
      },
    }
  } catch (error) {
    held.release()
    throw error
  }
}

export interface HeldMetadataFolder {
  /** Of the engine. */
  readonly folder: string
  /** Undefined where it is the folder of a service of its own. */
  readonly cluster: ClusterFile | undefined
  /** See {@link RestoreTarget.use}. */
  readonly use: () => Promise<void>
  release(): void
}

/**
 * The engine's folder below that of a local cluster; any other folder is that of a metadata service of its own.
 * @param clusterId what it must be of, where that is known already
 * @throws {CommandError}
 */
export async function holdMetadataFolder(
  data: string,
  clusterId: string | undefined,
  { clock }: World,
): Promise<HeldMetadataFolder> {
  const paths = dataPaths(data)
  const cluster = await readClusterFile(paths.cluster)
  if (cluster === undefined) {
    const { release } = await holdServiceFolder(data, 'metadata', clock)
    return { folder: data, cluster, use: async () => undefined, release }
  }
  if (clusterId !== undefined && cluster.clusterId !== clusterId) {
    throw new CommandError(`${data} is the folder of cluster ${cluster.clusterId}, not of ${clusterId}`)
  }
  const whole = tryLock(paths.lock)
  if (whole === undefined) {
    throw new CommandError(`the cluster in ${data} is running`, { hints: ['Stop it first.'] })
  }
  try {
    const { release } = await holdServiceFolder(paths.metadata, 'metadata', clock)
    return {
      folder: paths.metadata,
      cluster,
      async use() {
        if (cluster.metadata !== undefined) {
          await writeClusterFile(paths.cluster, withMetadataIn(cluster, 'folder'))
        }
      },
      release() {
        release()
        whole.release()
      },
    }
  } catch (error) {
    whole.release()
    throw error
  }
}
