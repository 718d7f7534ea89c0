import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readClusterFile } from '../../../cli/folder/cluster-file.ts'
import { findFreePorts } from '../../../cli/folder/ports.ts'
import { readSecret } from '../../../cli/folder/secret.ts'
import { connectMetadata } from '../../../cli/services/metadata-client.ts'
import { metadataAddresses } from '../../../cli/start/plan.ts'
import { s3Rates, splitTriggers } from '../../../core/admission/s3-rates.ts'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { startTarget } from '../cluster/targets.ts'
import { startBenchMetadata } from '../metadata/service.ts'
import { temporaryFolder } from '../../cluster/harness.ts'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { ashlar, killNow } from '../../cluster/processes.ts'
import { EtcdServers } from '../../servers/etcd.ts'
import { startPostgres } from '../../servers/postgres.ts'
import { cpuSecondsOf } from '../proc.ts'
import { GatewayTarget } from './gateway-target.ts'

export type EngineName = 'level' | 'postgres' | 'etcd'

export interface MetadataProcesses {
  /** All of them as one, over the network. */
  readonly api: MetadataApi
  /** CPU seconds of the metadata processes, without their engine. */
  cpuSeconds(): Promise<number>
}

/** Starts `ashlar metadata` processes on an empty engine of their own. All of it ends with `run`. */
export async function startProcesses(
  run: Lifetime,
  engine: EngineName,
  count: number,
  options: readonly string[],
): Promise<MetadataProcesses> {
  const folder = await temporaryFolder(run)
  const secret = randomBytes(32).toString('hex')
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, secret, { mode: 0o600 })
  const where = await engineArguments(run, engine, folder)
  const ports = await findFreePorts(count, '127.0.0.1', systemRandom)
  const clusterId = randomBytes(16).toString('hex')
  const services = ports.map((port, index) => {
    const own = ['--port', String(port), '--node-id', `m${index + 1}`]
    const common = ['--secret-file', secretFile, '--cluster-id', clusterId, '--log-level', 'warn']
    return ashlar(['metadata', ...where, ...own, ...common, '--nodes', '{"z":["n"]}', ...options])
  })
  atEnd(run, async () => {
    for (const { pid } of services) killNow(pid)
    await Promise.all(services.map(({ ended }) => ended))
  })
  await Promise.all(services.map((service) => service.said(/ ready on /)))
  const addresses = ports.map((port) => `127.0.0.1:${port}`).join(',')
  const connection = connectMetadata(addresses, secret, { clock: systemClock, random: systemRandom })
  atEnd(run, () => connection.close())
  return {
    api: connection.api,
    async cpuSeconds() {
      const seconds = await Promise.all(services.map(({ pid }) => cpuSecondsOf(pid)))
      return seconds.reduce((sum, one) => sum + one, 0)
    },
  }
}

/** Metadata on `level` in this process, held to a scale of S3's figures: asked without a network, for which a small machine has no time. */
export async function startHeldToLimits(run: Lifetime, scale: number): Promise<MetadataApi> {
  const dataDirectory = join(await temporaryFolder(run), 'metadata')
  const partitions = splitTriggers(scale)
  return await startBenchMetadata(run, { dataDirectory, heldTo: s3Rates(scale), partitions })
}

/** A whole cluster as `ashlar start` makes it, with a process of its own, or one for each service. */
export async function startGateway(
  run: Lifetime,
  { separate, clients, args }: { separate: boolean; clients: number; args: readonly string[] },
): Promise<GatewayTarget> {
  const { cluster, endpoint, cpu } = await startTarget(run, 'gateway', { separate, args })
  const file = await readClusterFile(cluster.paths.cluster)
  if (file === undefined) throw new Error('the cluster has no cluster.json')
  const ports = { clock: systemClock, random: systemRandom }
  const secret = await readSecret(cluster.paths.secret)
  const connection = connectMetadata(metadataAddresses(file), secret, ports)
  atEnd(run, () => connection.close())
  const target = new GatewayTarget({ endpoint, api: connection.api, cpuSeconds: cpu, clients })
  atEnd(run, () => {
    target.close()
  })
  return target
}

async function engineArguments(run: Lifetime, engine: EngineName, folder: string): Promise<string[]> {
  switch (engine) {
    case 'level':
      return ['--data', join(folder, 'metadata')]
    case 'postgres': {
      const server = await startPostgres()
      atEnd(run, () => server.dispose())
      return ['--engine', server.url]
    }
    case 'etcd': {
      const servers = await EtcdServers.start()
      atEnd(run, () => servers.stop())
      return ['--engine', servers.url()]
    }
  }
}
