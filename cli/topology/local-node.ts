import { spawn } from 'node:child_process'
import { open, readdir, rm } from 'node:fs/promises'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { LOCAL_NODES_MAX, LOCK_WAIT_MS } from '../../core/limits.ts'
import { storageNodeConfig, type StorageNodeConfig } from '../../runtime/config/services.ts'
import { CommandError } from '../failure.ts'
import {
  nodeNames,
  readClusterFile,
  withNode,
  withoutNode,
  writeClusterFile,
  type ClusterFile,
} from '../folder/cluster-file.ts'
import { readPid } from '../folder/data-folder.ts'
import { makePrivateFolder, readSmallFile, writePrivateFile } from '../folder/files.ts'
import { lockWithin } from '../folder/lock.ts'
import type { DataPaths } from '../folder/paths.ts'
import { findFreePorts } from '../folder/ports.ts'
import { isAlive } from '../processes/pid-file.ts'
import { LOOPBACK, type NodeOptions, nodeService, planNode } from '../start/plan.ts'
import { childEnvironment } from '../start/separate.ts'
import type { World } from '../world.ts'

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url))

/** How `ashlar start` runs a cluster now. */
export type RunMode = 'separate' | 'one-process' | 'stopped'

export async function runMode(paths: DataPaths): Promise<RunMode> {
  if (await runs(paths, 'metadata')) return 'separate'
  return (await runs(paths, 'ashlar')) ? 'one-process' : 'stopped'
}

async function runs(paths: DataPaths, service: string): Promise<boolean> {
  const pid = await readPid(paths.pid(service))
  return pid !== undefined && isAlive(pid)
}

/**
 * Refuses a node that could not be run here, before anything is changed.
 * @throws {CommandError}
 */
export async function refuseLocalNode(paths: DataPaths, cluster: ClusterFile, node: string): Promise<void> {
  if (nodeNames(cluster).length >= LOCAL_NODES_MAX) {
    throw new CommandError(`at most ${LOCAL_NODES_MAX} storage nodes run on one machine`)
  }
  const folder = paths.node(node)
  const left = await readdir(folder).catch(() => [])
  if (left.length === 0) return
  throw new CommandError(`${folder} holds what an earlier ${node} left`, {
    hints: ['Choose another name, or move that folder away.'],
  })
}

export interface LocalNode {
  readonly config: StorageNodeConfig
  readonly configFile: string
}

/** Gives a node of the map a port in `cluster.json` and a configuration file. One that has them keeps them. */
export async function addLocalNode(
  paths: DataPaths,
  zone: string,
  node: string,
  world: World,
): Promise<LocalNode> {
  const cluster = await changeFile(paths, world, async (before) => {
    if (before.ports.nodes[node] !== undefined) return before
    const [port = 0] = await findFreePorts(1, LOOPBACK, world.random)
    return withNode(before, zone, node, port)
  })
  const service = nodeService(node)
  const config = planNode(cluster, paths, zone, node, await optionsOfOthers(paths, cluster))
  const configFile = paths.config(service)
  await makePrivateFolder(paths.run)
  await writePrivateFile(
    configFile,
    `${JSON.stringify({ ...config, pidFile: paths.pid(service) }, null, 2)}\n`,
  )
  return { config, configFile }
}

/** Takes a node out of `cluster.json`, ends its process if it has one, and leaves its folder. */
export async function removeLocalNode(paths: DataPaths, node: string, world: World): Promise<void> {
  await changeFile(paths, world, (before) => Promise.resolve(withoutNode(before, node)))
  const service = nodeService(node)
  const pid = await readPid(paths.pid(service))
  if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGTERM')
  await rm(paths.config(service), { force: true })
}

async function changeFile(
  paths: DataPaths,
  { clock }: World,
  change: (cluster: ClusterFile) => Promise<ClusterFile>,
): Promise<ClusterFile> {
  const path = `${paths.cluster}.lock`
  const lock = await lockWithin(path, clock, LOCK_WAIT_MS)
  if (lock === undefined) throw new CommandError(`${paths.cluster} is being changed by another process`)
  try {
    const before = await readClusterFile(paths.cluster)
    if (before === undefined) throw new CommandError(`${paths.cluster} is gone`)
    const after = await change(before)
    if (after !== before) await writeClusterFile(paths.cluster, after)
    return after
  } finally {
    lock.release()
  }
}

/** What the start gave the other nodes; the defaults where it gave them no file, since all run in its process. */
async function optionsOfOthers(paths: DataPaths, cluster: ClusterFile): Promise<NodeOptions> {
  const { scrubDays, compactionBytesPerSecond, logLevel } = storageNodeConfig.shape
  const options = z.object({ scrubDays, compactionBytesPerSecond, logLevel })
  for (const node of nodeNames(cluster)) {
    const text = await readSmallFile(paths.config(nodeService(node)))
    if (text === undefined) continue
    const parsed = options.safeParse(parseJson(text))
    if (!parsed.success) continue
    return parsed.data
  }
  return options.parse({ logLevel: 'warn' })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Starts a node as a process that outlives this one, and `ashlar start` too. Resolves to its pid, if it could be started. */
export async function startDetached(
  paths: DataPaths,
  { config, configFile }: LocalNode,
  world: World,
): Promise<number | undefined> {
  const log = await open(paths.log(nodeService(config.node)), 'a', 0o600)
  try {
    const child = spawn(process.execPath, [PROGRAM, 'storage-node', '--config', configFile], {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      env: childEnvironment(world.environment, false),
    })
    child.unref()
    return child.pid
  } finally {
    await log.close()
  }
}

/** The command that starts a node by hand, as one would type it here. */
export function startCommand({ configFile }: LocalNode, { workingDirectory }: World): string {
  const shorter = relative(workingDirectory, configFile)
  return `npx ashlar storage-node --config ${shorter.startsWith('..') ? configFile : shorter}`
}
