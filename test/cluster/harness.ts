import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { readCredentials, type Credentials } from '../../cli/folder/credentials.ts'
import { readClusterFile } from '../../cli/folder/cluster-file.ts'
import { readPid } from '../../cli/folder/data-folder.ts'
import { dataPaths, type DataPaths } from '../../cli/folder/paths.ts'
import { isFree } from '../../cli/folder/ports.ts'
import type { ClusterStatus } from '../../cli/status/assess.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { atEnd, type Lifetime } from './lifetime.ts'
import {
  ashlar,
  isAlive,
  killAtExit,
  killNow,
  runAshlar,
  type Ended,
  type Finished,
  type Running,
} from './processes.ts'

/** A real cluster in a folder of its own, run by the real command. */
export interface Cluster {
  readonly paths: DataPaths
  /** Base URLs of the gateways. */
  readonly endpoints: readonly string[]
  readonly credentials: Credentials
  /** URL of metrics and the admin interface: of the worker, where services are processes. */
  readonly admin: string
  /** The process of `ashlar start`. */
  readonly main: () => Running
  /** A client of the n-th gateway. `attempts`: 1 for no retries. */
  client(gateway?: number, attempts?: number): S3Client
  /** Sends a signal to services by name, such as `storage-node-zone-a-1`; after SIGKILL resolves when they are gone. */
  kill(names: readonly string[], signal: NodeJS.Signals): Promise<void>
  /** kill -9 of everything at once: the command and all its services. */
  killEverything(): Promise<void>
  /** Starts a service again by hand, from the configuration file it was started with. */
  restart(name: string): Promise<void>
  /** Stops in order and resolves to how the command ended. */
  stop(): Promise<Ended>
  /** Starts again on the same folder, after everything has ended. */
  startAgain(): Promise<void>
  status(): Promise<ClusterStatus>
  /** Waits until the status is so. */
  statusIs(condition: (status: ClusterStatus) => boolean): Promise<ClusterStatus>
  /** Runs a command on this cluster, such as `node add`; resolves to how it ended. */
  command(...line: readonly string[]): Promise<Finished>
  /** Waits until exactly these nodes are down. */
  nodesDown(names: readonly string[]): Promise<void>
}

export interface ClusterOptions {
  readonly separate?: boolean
  readonly gateways?: number
  /** More arguments of `ashlar start`. */
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** Lines of each log that are shown when a test fails. */
const LOG_LINES = 40

const POLL_MS = 25

/** A folder that is gone after the test. */
export async function temporaryFolder(t: Lifetime): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-cluster-'))
  atEnd(t, () => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Below those that clusters take for their services: what another test starts meanwhile takes none of them. */
const GATEWAYS_FIRST = 10_000
const GATEWAYS_COUNT = 9_000

/** Adjacent ports that nothing listens on; resolves to the first. */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = GATEWAYS_FIRST + (Buffer.from(systemRandom.bytes(4)).readUInt32BE() % GATEWAYS_COUNT)
    const ports = Array.from({ length: count }, (_port, index) => first + index)
    const free = await Promise.all(ports.map((port) => isFree(port, '127.0.0.1')))
    if (free.every(Boolean)) return first
  }
}

/** Starts a cluster and waits until it says that it is ready. Everything it started ends with the test. */
export async function startCluster(t: Lifetime, options: ClusterOptions = {}): Promise<Cluster> {
  const { separate = false, gateways = 1, args = [], environment = {} } = options
  const folder = join(await temporaryFolder(t), 'data')
  const paths = dataPaths(folder)
  const port = await freePort(gateways)
  const endpoints = Array.from({ length: gateways }, (_gateway, index) => `http://127.0.0.1:${port + index}`)
  const line = ['start', '--data', folder, '--port', String(port), ...(separate ? ['--separate'] : [])]
  if (gateways > 1) line.push('--gateways', String(gateways))
  line.push(...args)

  let main = ashlar(line, environment)
  const byHand = new Map<string, Running>()
  const clients: S3Client[] = []

  atEnd(t, async () => {
    for (const client of clients) client.destroy()
    if (t.passed !== true) t.diagnostic(await collectLogs(main, paths))
    for (const pid of await servicePids(paths)) killNow(pid)
    for (const running of [main, ...byHand.values()]) killNow(running.pid)
    await Promise.all([main, ...byHand.values()].map(({ ended }) => ended))
  })

  async function ready(): Promise<void> {
    await main.said(/^Ready\./m)
    // Those below it are not its children only in name: if the test process dies, they must too.
    for (const pid of await servicePids(paths)) killAtExit(pid)
  }
  await ready()
  const credentials =
    environment['ASHLAR_ROOT_ACCESS_KEY'] === undefined
      ? await readCredentials(paths.credentials)
      : {
          accessKeyId: environment['ASHLAR_ROOT_ACCESS_KEY'],
          secretAccessKey: environment['ASHLAR_ROOT_SECRET_KEY'] ?? '',
        }
  if (credentials === undefined) throw new Error('the start left no credentials')

  async function kill(names: readonly string[], signal: NodeJS.Signals): Promise<void> {
    const pids = await Promise.all(names.map((name) => pidOf(paths, name)))
    for (const pid of pids) process.kill(pid, signal)
    if (signal === 'SIGKILL') await until(() => !pids.some(isAlive))
  }

  async function status(): Promise<ClusterStatus> {
    const { stdout, stderr } = await runAshlar(['status', '--data', folder, '--json'])
    if (stdout === '') throw new Error(`ashlar status said nothing: ${stderr}`)
    return JSON.parse(stdout) as ClusterStatus
  }

  return {
    paths,
    endpoints,
    credentials,
    admin: `http://127.0.0.1:${(await readClusterFile(paths.cluster))?.ports.admin ?? 0}`,
    main: () => main,
    client(gateway = 0, attempts = 3) {
      const endpoint = endpoints[gateway]
      if (endpoint === undefined) throw new RangeError(`there is no gateway ${gateway}`)
      const client = new S3Client({
        endpoint,
        region: 'us-east-1',
        credentials,
        forcePathStyle: true,
        maxAttempts: attempts,
      })
      clients.push(client)
      return client
    },
    kill,
    async killEverything() {
      const pids = [main.pid, ...(await servicePids(paths))]
      for (const pid of pids) killNow(pid)
      await main.ended
      await until(() => !pids.some(isAlive))
    },
    async restart(name) {
      const kind = /^(gateway|metadata|storage-node|worker)/.exec(name)?.[0] ?? ''
      const running = ashlar([kind, '--config', paths.config(name)])
      byHand.set(name, running)
      await running.said(/ ready on /)
    },
    async stop() {
      for (const running of byHand.values()) running.child.kill('SIGTERM')
      await Promise.all([...byHand.values()].map(({ ended }) => ended))
      main.child.kill('SIGTERM')
      return await main.ended
    },
    async startAgain() {
      main = ashlar(line, environment)
      await ready()
    },
    status,
    async statusIs(condition) {
      for (;;) {
        const now = await status()
        if (condition(now)) return now
        await delay(POLL_MS)
      }
    },
    async command(...words) {
      return await runAshlar([...words, '--data', folder])
    },
    async nodesDown(names) {
      const wanted = names.toSorted().join()
      await until(async () => {
        const { zones } = await status()
        const down = zones.flatMap(({ nodes }) => nodes).filter(({ state }) => state === 'down')
        return (
          down
            .map(({ node }) => node)
            .sort()
            .join() === wanted
        )
      })
    },
  }
}

/** Polls until the condition holds. The runner's own timeout ends a test whose condition never does. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(POLL_MS)
}

async function pidOf(paths: DataPaths, name: string): Promise<number> {
  const pid = await readPid(paths.pid(name))
  if (pid === undefined) throw new Error(`${name} has no pid file`)
  return pid
}

/** Processes of the services; none for a cluster in one process. */
async function servicePids(paths: DataPaths): Promise<number[]> {
  const names = (await readdir(paths.run).catch(() => [])).filter(
    (name) => name.endsWith('.pid') && name !== 'ashlar.pid',
  )
  const pids = await Promise.all(names.map((name) => readPid(join(paths.run, name))))
  return pids.filter((pid) => pid !== undefined)
}

async function collectLogs(main: Running, paths: DataPaths): Promise<string> {
  const names = (await readdir(paths.run).catch(() => [])).filter((name) => name.endsWith('.log'))
  const logs = await Promise.all(
    names.map(async (name) => {
      const lines = (await readFile(join(paths.run, name), 'utf8')).trimEnd().split('\n')
      return `--- ${name}\n${lines.slice(-LOG_LINES).join('\n')}`
    }),
  )
  return [`--- stdout\n${main.stdout()}`, `--- stderr\n${main.stderr()}`, ...logs].join('\n')
}
