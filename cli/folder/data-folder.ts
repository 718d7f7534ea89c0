import { readdir, readFile, rm } from 'node:fs/promises'
import { LOCK_WAIT_MS } from '../../core/limits.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { CommandError, systemCode } from '../failure.ts'
import {
  DATA_FORMAT,
  nodeNames,
  nodesByZone,
  readClusterFile,
  refuseOtherTopology,
  type ClusterFile,
  type Topology,
  writeClusterFile,
} from './cluster-file.ts'
import {
  credentialsFromEnvironment,
  newCredentials,
  readCredentials,
  writeCredentials,
  type Credentials,
} from './credentials.ts'
import { fileFailure, makePrivateFolder, writePrivateFile } from './files.ts'
import { lockWithin, tryLock, type FolderLock } from './lock.ts'
import { dataPaths, LOCK_FILE, type DataPaths } from './paths.ts'
import { readOrMakeSecret } from './secret.ts'

/** The data folder of a local cluster, opened and held by this process. */
export interface DataFolder {
  readonly paths: DataPaths
  readonly cluster: ClusterFile
  readonly secret: string
  readonly credentials: RootCredentials
  /** No cluster was here before. */
  readonly created: boolean
  readonly close: () => Promise<void>
}

export interface RootCredentials extends Credentials {
  /** `made`: by this start, to be shown once. `file`: by an earlier one. `environment`: given, and kept nowhere. */
  readonly origin: 'made' | 'file' | 'environment'
}

export interface OpenDataFolder {
  readonly folder: string
  /** What was asked for by name. */
  readonly wanted: Partial<Topology>
  /** For a new cluster, where nothing was asked for. */
  readonly defaults: Topology
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Finds `count` free ports on loopback. */
  readonly freePorts: (count: number) => Promise<number[]>
  readonly clock: Clock
  readonly random: Random
}

/**
 * Opens the folder of a cluster, or makes a new cluster in an empty one, and holds it until closed.
 * @throws {CommandError} another process holds it; it is of a newer format, damaged or differently made; it holds
 * something else; it cannot be written
 */
export async function openDataFolder(request: OpenDataFolder): Promise<DataFolder> {
  const given = credentialsFromEnvironment(request.environment)
  const paths = dataPaths(request.folder)
  await refuseForeignFolder(paths)
  await makePrivateFolder(paths.folder)
  const lock = await hold(paths)
  try {
    const existing = await readClusterFile(paths.cluster)
    if (existing !== undefined) refuseOtherTopology(paths.folder, existing.made, request.wanted)
    await makePrivateFolder(paths.run)
    await writePrivateFile(paths.pid('ashlar'), `${process.pid}\n`)
    const secret = await readOrMakeSecret(paths.secret, request.random)
    const credentials =
      given === undefined
        ? await readOrMake(paths, request.random)
        : { ...given, origin: 'environment' as const }
    const cluster = existing ?? (await makeCluster(request))
    // Last, so that a first start that was cut short is a first start again.
    if (existing === undefined) await writeClusterFile(paths.cluster, cluster)
    return {
      paths,
      cluster,
      secret,
      credentials,
      created: existing === undefined,
      async close() {
        await rm(paths.pid('ashlar'), { force: true })
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Takes the folder of one service, waiting for its last process to end. */
export async function holdServiceFolder(folder: string, service: string, clock: Clock): Promise<FolderLock> {
  await makePrivateFolder(folder)
  const lock = await lockWithin(dataPaths(folder).lock, clock, LOCK_WAIT_MS)
  if (lock !== undefined) return lock
  throw new CommandError(`${service} is already running: another process holds ${folder}`)
}

async function hold(paths: DataPaths): Promise<FolderLock> {
  const lock = tryLock(paths.lock)
  if (lock !== undefined) return lock
  const pid = await readPid(paths.pid('ashlar'))
  const holder = pid === undefined ? 'another process' : `process ${pid}`
  throw new CommandError(`a cluster is already running in ${paths.folder} (${holder})`, {
    hints: ['Stop it first, or choose another folder with --data.'],
  })
}

/** The process id in a file, for people to read; undefined if there is none. */
export async function readPid(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^[1-9][0-9]{0,9}\n?$/.test(text) ? Number(text) : undefined
}

/** What a cluster that was never finished leaves, and what file systems put at the root of a volume. */
const harmless = new Set([LOCK_FILE, 'secret', 'credentials.json', 'run', 'lost+found'])

async function refuseForeignFolder({ folder }: DataPaths): Promise<void> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw fileFailure(error, folder, 'be opened')
  }
  if (names.includes('cluster.json')) return
  const foreign = names.find((name) => !harmless.has(name) && !name.endsWith('.new'))
  if (foreign === undefined) return
  throw new CommandError(`${folder} holds something else (${foreign}) and no cluster`, {
    hints: ['Choose an empty or a new folder with --data.'],
  })
}

async function readOrMake(paths: DataPaths, random: Random): Promise<RootCredentials> {
  const existing = await readCredentials(paths.credentials)
  if (existing !== undefined) return { ...existing, origin: 'file' }
  const made = newCredentials(random)
  await writeCredentials(paths.credentials, made)
  return { ...made, origin: 'made' }
}

async function makeCluster({
  wanted,
  defaults,
  freePorts,
  clock,
  random,
}: OpenDataFolder): Promise<ClusterFile> {
  const made = { ...defaults, ...wanted }
  const zones = nodesByZone(made)
  const names = nodeNames({ zones })
  const [metadata = 0, admin = 0, ...ports] = await freePorts(names.length + 2)
  const nodes = Object.fromEntries(names.map((node, index) => [node, ports[index] ?? 0]))
  return {
    format: DATA_FORMAT,
    clusterId: newIdentifier(clock, random),
    made,
    zones,
    ports: { metadata, admin, nodes },
  }
}
