import { relative } from 'node:path'
import packageFile from '../../package.json' with { type: 'json' }
import { LOCK_WAIT_MS, SHUTDOWN_GRACE_MS, START_NOTE_MS } from '../../core/limits.ts'
import { PoolState, type ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { formatAddress } from '../../runtime/config/fields.ts'
import { createLog } from '../../runtime/log/pino-log.ts'
import { createShutdown } from '../../runtime/shutdown/shutdown.ts'
import { CommandError, EXIT_FAILURE, explain } from '../failure.ts'
import { readAccounts } from '../folder/accounts.ts'
import { openDataFolder, type DataFolder } from '../folder/data-folder.ts'
import { nodeNames, readClusterFile } from '../folder/cluster-file.ts'
import { dataPaths, type DataPaths } from '../folder/paths.ts'
import { findFreePorts, isFree, keepFreePorts } from '../folder/ports.ts'
import { gatewaysLinger } from '../processes/pid-file.ts'
import { listenForStop } from '../processes/stop.ts'
import { connectMetadata } from '../services/metadata-client.ts'
import type { ServiceWorld } from '../services/service-world.ts'
import { layoutWarnings } from '../status/assess.ts'
import type { World } from '../world.ts'
import { banner, endpointOf } from './banner.ts'
import type { StartedCluster } from './all-in-one.ts'
import { DEFAULT_TOPOLOGY, wantedTopology, type StartConfig } from './config.ts'
import { placeMetadata } from './metadata-place.ts'
import {
  LOOPBACK,
  metadataAddresses,
  planCluster,
  planProcesses,
  type ClusterPlan,
  type ServicePlan,
} from './plan.ts'
import { gatewayAnswers, nodesUp, type OnMissing, type Wait } from './ready.ts'
import { nodeOf, startSeparate } from './separate.ts'

const LINGER_POLL_MS = 50

/** Runs a whole cluster until asked to stop. Resolves to the exit code. */
export async function runStart(config: StartConfig, world: World): Promise<number> {
  const { clock } = world
  const log = createLog(config.logLevel)
  // With processes of their own, three groups stop one after the other.
  const graceMs = config.separate ? 4 * SHUTDOWN_GRACE_MS : SHUTDOWN_GRACE_MS
  const shutdown = createShutdown({ clock, log, graceMs })
  const stop = listenForStop(clock)
  const waiting = noteWaiting(world)
  try {
    const running = { ...world, log, shutdown, signal: stop.signal, waitFor: waiting.waitFor }
    await refuseBusyPorts(config, world)
    if (config.accounts !== undefined) await readAccounts(config.accounts)
    world.out(await bringUp(config, running))
  } catch (error) {
    await shutdown.close()
    if (stop.signal.aborted) return 0
    throw error
  } finally {
    waiting.end()
  }
  await stop.requested
  return (await shutdown.close()) ? 0 : EXIT_FAILURE
}

/** A start in progress; its signal is aborted when it is to be given up. */
interface Starting extends ServiceWorld, Wait {}

/** Opens the folder, starts everything, waits until it serves; resolves to what to say then. */
async function bringUp(config: StartConfig, starting: Starting): Promise<string> {
  const { clock, shutdown, workingDirectory } = starting
  const folder = await openFolder(config, starting)
  shutdown.add('data folder', () => folder.close())
  const place = await placeMetadata(folder, config)
  const gateways = Array.from({ length: config.gateways }, (_gateway, index) => config.port + index)
  const cluster = await keepFreePorts(
    folder,
    LOOPBACK,
    starting.random,
    config.metadataProcesses,
    config.port === 0 ? [] : gateways,
  )
  if (!place.existing) await place.remember()
  const plan = planCluster(cluster, folder.paths, config, place.existing)
  const { addresses, admin, metadata } = config.separate
    ? await startProcesses(plan, metadataAddresses(cluster), folder, starting)
    : await startHere(plan, folder, config, starting)
  await place.remember()
  const endpoints = addresses.map(endpointOf)
  const signing = { credentials: folder.credentials, region: config.region, clock }
  for (const endpoint of endpoints) await gatewayAnswers(endpoint, signing, starting)
  const { map } = await metadata.call('getCluster', {}, starting.signal)
  return banner({
    version: packageFile.version,
    endpoints,
    region: config.region,
    domain: config.domain,
    zones: Object.keys(cluster.zones).length,
    nodes: plan.nodes.length,
    code: map === undefined ? cluster.made.code : mainCode(map),
    folder: shortPath(config.data, workingDirectory),
    admin: endpointOf(admin),
    separate: config.separate,
    credentials: folder.credentials,
    warnings: map === undefined ? [] : layoutWarnings(map),
  })
}

async function startHere(
  plan: ClusterPlan,
  folder: DataFolder,
  config: StartConfig,
  starting: Starting,
): Promise<StartedCluster> {
  const { startAllInOne } = await import('./all-in-one.ts')
  return await startAllInOne(plan, folder, config, starting, tellMissing(starting))
}

async function startProcesses(
  plan: ClusterPlan,
  metadataAt: string,
  { paths, secret }: DataFolder,
  starting: Starting,
): Promise<StartedCluster> {
  const { environment, err, clock, random, shutdown, signal, waitFor } = starting
  const onEnded = (service: ServicePlan, how: string, command: string) => {
    void tellEnded(service, how, command, paths, err)
  }
  // No log: that metadata comes and goes is said of its process.
  const { api: metadata, close } = connectMetadata(metadataAt, secret, { clock, random })
  shutdown.add('metadata client', close)
  const plans = planProcesses(plan, paths)
  const { addresses, admin } = await startSeparate({
    plans,
    paths,
    environment,
    onEnded,
    onMissing: tellMissing(starting),
    nodesUp: (nodes) => nodesUp(metadata, clock, nodes, starting),
    shutdown,
    signal,
    waitFor,
  })
  return { addresses, admin, metadata }
}

/** A node that was removed from the cluster ends because of that, and is not to be started again. */
async function tellEnded(
  plan: ServicePlan,
  how: string,
  command: string,
  paths: DataPaths,
  err: World['err'],
): Promise<void> {
  const node = nodeOf(plan)
  const cluster = await readClusterFile(paths.cluster).catch(() => undefined)
  if (node !== undefined && cluster !== undefined && !nodeNames(cluster).includes(node)) {
    err(`ashlar: ${plan.name} ended: ${node} was removed from the cluster\n`)
  } else {
    err(`ashlar: ${plan.name} ended (${how}). To start it again:\n        npx ${command}\n`)
  }
}

/** The code of what is not small. */
function mainCode({ pools }: ClusterMap): string {
  const active = pools.filter(({ state }) => state !== PoolState.RETIRING)
  return (active.find(({ objectBytesMax }) => objectBytesMax === 0n) ?? active[0])?.code ?? ''
}

/** What failed is for the log and the eye; the cluster goes on without that node. */
function tellMissing({ err, environment }: World): OnMissing {
  return (node, reason) => {
    const { text } = explain(reason, (environment['ASHLAR_DEBUG'] ?? '') !== '')
    err(
      `${text}        The cluster starts without ${node}: what it holds is reconstructed from the others.\n`,
    )
  }
}

async function openFolder(config: StartConfig, { environment, clock, random }: World): Promise<DataFolder> {
  return await openDataFolder({
    folder: config.data,
    wanted: wantedTopology(config),
    defaults: DEFAULT_TOPOLOGY,
    environment,
    freePorts: (count) => findFreePorts(count, LOOPBACK, random),
    clock,
    random,
  })
}

/** Asked before anything is made, so that the most common mistake of a first start leaves nothing behind. */
async function refuseBusyPorts({ data, host, port, gateways }: StartConfig, { clock }: World): Promise<void> {
  if (port === 0) return
  const ports = Array.from({ length: gateways }, (_gateway, index) => port + index)
  const giveUpMs = clock.monotonicMs() + LOCK_WAIT_MS
  for (;;) {
    const free = await Promise.all(ports.map((one) => isFree(one, host)))
    const busy = ports.find((_port, index) => free[index] === false)
    if (busy === undefined) return
    // Gateways whose parent was killed take a moment to notice it and to end what is in flight.
    if (clock.monotonicMs() < giveUpMs && (await gatewaysLinger(dataPaths(data)))) {
      await clock.sleep(LINGER_POLL_MS)
      continue
    }
    const address = formatAddress({ host, port: busy })
    throw new CommandError(`cannot listen on ${address}: it is in use, or not of this machine`, {
      hints: ['Stop what listens there, or choose another with --port (and --host).'],
    })
  }
}

/** Says from time to time what a long start is waiting for. */
function noteWaiting({ clock, err }: World): { waitFor: (what: string) => void; end: () => void } {
  let what = 'its turn'
  let cancel = () => {}
  const next = () => {
    cancel = clock.after(START_NOTE_MS, () => {
      err(`ashlar: still waiting for ${what}\n`)
      next()
    })
  }
  next()
  return {
    waitFor: (now) => {
      what = now
    },
    end: () => {
      cancel()
    },
  }
}

/** As one would type it here. */
function shortPath(path: string, workingDirectory: string): string {
  const shorter = relative(workingDirectory, path)
  return shorter === '' || shorter.startsWith('..') ? path : `./${shorter}`
}
