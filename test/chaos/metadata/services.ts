/** A cluster whose services are put together by hand, as on machines of their own, each to be killed and stopped alone. */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { findFreePorts } from '../../../cli/folder/ports.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { temporaryFolder } from '../../cluster/harness.ts'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { ashlar, isAlive, killNow, type Running } from '../../cluster/processes.ts'

const LOG_LINES = 60

/** One `ashlar` process, started with the same command each time. */
export class Service {
  readonly name: string
  readonly #args: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  /** All its runs, the last of which may be alive. */
  readonly #runs: Running[] = []

  constructor(name: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.name = name
    this.#args = args
    this.#environment = environment
  }

  /** Resolves once it says that it is ready. */
  async start(): Promise<void> {
    const running = ashlar(this.#args, this.#environment)
    this.#runs.push(running)
    await running.said(/ ready on | ready$/m)
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const running = this.#runs.at(-1)
    if (running === undefined) return
    killNow(running.pid)
    await running.ended
  }

  pause(): void {
    this.#signal('SIGSTOP')
  }

  resume(): void {
    this.#signal('SIGCONT')
  }

  /** Asks it to end, and resolves when it has. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM')
    await this.#runs.at(-1)?.ended
  }

  /** The last lines of all its runs, for people. */
  log(): string {
    const lines = this.#runs.flatMap((run) => [`(pid ${run.pid})`, ...run.stderr().trimEnd().split('\n')])
    return `--- ${this.name}\n${lines.slice(-LOG_LINES).join('\n')}`
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#runs.at(-1)?.pid
    if (pid !== undefined && isAlive(pid)) process.kill(pid, signal)
  }
}

export interface Services {
  readonly metadata: readonly Service[]
  readonly gateways: readonly Service[]
  /** For each gateway, makes a client with the SDK's own settings. */
  readonly clients: readonly (() => S3Client)[]
  /** What `--metadata` of the others is. */
  readonly metadataAddresses: string
  readonly secret: string
}

export interface ServicesOptions {
  readonly gateways: number
  /** For each metadata process the arguments that say where its data lies, given a folder of its own. */
  readonly metadata: readonly ((folder: string) => readonly string[])[]
}

const ZONES = ['here', 'there', 'yonder']

/** Starts metadata, a storage node in each of three zones, a worker and gateways; all of it ends with `t`. */
export async function startServices(t: Lifetime, options: ServicesOptions): Promise<Services> {
  const folder = await temporaryFolder(t)
  const secretFile = join(folder, 'secret')
  const secret = randomBytes(32).toString('hex')
  await writeFile(secretFile, secret, { mode: 0o600 })
  const credentials = { accessKeyId: 'administrator', secretAccessKey: randomBytes(16).toString('hex') }
  const ports = await findFreePorts(options.metadata.length + options.gateways, '127.0.0.1', systemRandom)
  const portOf = (index: number): string => String(ports[index] ?? 0)
  const addresses = options.metadata.map((_engine, index) => `127.0.0.1:${portOf(index)}`)
  const metadataAddresses = addresses.join(',')

  const common = ['--secret-file', secretFile, '--log-level', 'warn']
  const nodes = JSON.stringify(Object.fromEntries(ZONES.map((zone) => [zone, [`${zone}-1`]])))
  const made = ['--cluster-id', randomBytes(16).toString('hex'), '--nodes', nodes, '--code', 'rs-2-1']
  const metadata = options.metadata.map((engine, index) => {
    const where = [...engine(join(folder, `metadata-${index + 1}`)), '--port', portOf(index)]
    return new Service(`metadata-${index + 1}`, ['metadata', ...where, ...common, ...made])
  })
  const reach = ['--metadata', metadataAddresses, ...common]
  const storage = ZONES.map((zone) => {
    const where = ['--data', join(folder, zone), '--port', '0', '--node', `${zone}-1`, '--zone', zone]
    return new Service(`storage-node-${zone}`, ['storage-node', ...where, ...reach])
  })
  const worker = new Service('worker', ['worker', ...reach, '--garbage-grace-seconds', '1'])
  const gateways = Array.from({ length: options.gateways }, (_gateway, index) => {
    const port = portOf(options.metadata.length + index)
    return new Service(`gateway-${index + 1}`, ['gateway', '--port', port, ...reach], {
      ASHLAR_ROOT_ACCESS_KEY: credentials.accessKeyId,
      ASHLAR_ROOT_SECRET_KEY: credentials.secretAccessKey,
    })
  })

  const all = [...metadata, ...storage, worker, ...gateways]
  const clients: S3Client[] = []
  atEnd(t, async () => {
    for (const client of clients) client.destroy()
    if (t.passed !== true) t.diagnostic(all.map((service) => service.log()).join('\n'))
    await Promise.all(all.map((service) => service.kill()))
  })
  // Metadata first: the others wait for it, but one after the other is easier on a small machine.
  await Promise.all(metadata.map((service) => service.start()))
  await Promise.all([...storage, worker, ...gateways].map((service) => service.start()))
  return {
    metadata,
    gateways,
    metadataAddresses,
    secret,
    clients: gateways.map((_gateway, index) => () => {
      const endpoint = `http://127.0.0.1:${portOf(options.metadata.length + index)}`
      const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
      clients.push(client)
      return client
    }),
  }
}
