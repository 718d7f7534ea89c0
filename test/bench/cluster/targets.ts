import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readPid } from '../../../cli/folder/data-folder.ts'
import { startCluster, temporaryFolder, type Cluster, type ClusterOptions } from '../../cluster/harness.ts'
import { cpuSecondsOf } from '../proc.ts'
import type { Endpoint } from './job.ts'
import type { Lifetime } from '../../cluster/lifetime.ts'
import { startHelper } from './run.ts'

const ANCHOR_SERVER = fileURLToPath(new URL('./anchor-server.ts', import.meta.url))
const BUCKET = 'bench'

/** Something that takes requests. */
export interface Target {
  readonly name: string
  readonly endpoint: Endpoint
  /** CPU seconds of all its processes so far. */
  cpu(): Promise<number>
}

export interface ClusterTarget extends Target {
  readonly cluster: Cluster
}

export async function startAnchor(run: Lifetime): Promise<Target> {
  const folder = await temporaryFolder(run)
  const child = startHelper(run, ANCHOR_SERVER, [join(folder, 'bytes')])
  const [port] = (await once(child, 'message')) as [number]
  const { pid = 0 } = child
  const endpoint = { host: '127.0.0.1', port, bucket: BUCKET, accessKeyId: 'anyone', secretAccessKey: '-' }
  return { name: 'anchor', endpoint, cpu: () => cpuSecondsOf(pid) }
}

/** A cluster of three zones of two nodes, rs-4-2, as `ashlar start` makes it. */
export async function startTarget(
  run: Lifetime,
  name: string,
  options: ClusterOptions & { readonly separate: boolean },
): Promise<ClusterTarget> {
  const cluster = await startCluster(run, options)
  const { hostname, port } = new URL(cluster.endpoints[0] ?? '')
  const endpoint = { host: hostname, port: Number(port), bucket: BUCKET, ...cluster.credentials }
  return { name, endpoint, cluster, cpu: async () => sum(await cpuOf(cluster)) }
}

/** Id of the process of a service of a cluster with processes of their own, such as `gateway-1`. */
export async function servicePid({ paths }: Cluster, name: string): Promise<number> {
  const pid = await readPid(paths.pid(name))
  if (pid === undefined) throw new Error(`${name} has no pid file`)
  return pid
}

async function cpuOf(cluster: Cluster): Promise<number[]> {
  const files = await readdir(cluster.paths.run)
  const services = files.filter((file) => file.endsWith('.pid') && file !== 'ashlar.pid')
  const pids = await Promise.all(services.map((file) => readPid(join(cluster.paths.run, file))))
  const all = [cluster.main().pid, ...pids.filter((pid) => pid !== undefined)]
  // A killed node leaves its pid file; what it spent it spent before.
  return await Promise.all(all.map((pid) => cpuSecondsOf(pid).catch(() => 0)))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
