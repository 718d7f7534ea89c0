import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/**
 * A real etcd ensemble on this machine, of processes that can be killed and started again, for tests. Everything lies in one
 * temporary folder, which `stop` removes.
 */

const execute = promisify(execFile)
const START_MS = 30_000

export interface EtcdServersOptions {
  /** 3 by default. */
  readonly members?: number
  /** More of etcd's own arguments, for each member. */
  readonly args?: readonly string[]
  /** Paths of PEM files, for TLS towards clients; members among each other use none. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    /** What `ctl` shows; members then ask all clients for a certificate of the authority. */
    readonly client?: { readonly cert: string; readonly key: string }
  }
}

interface MemberProcess {
  readonly name: string
  readonly directory: string
  readonly client: number
  readonly peer: number
  process: ChildProcess | undefined
}

/** Why tests on etcd are skipped; false where it is installed. */
export async function etcdMissing(): Promise<string | false> {
  try {
    await execute('etcd', ['--version'])
    await execute('etcdctl', ['version'])
    return false
  } catch {
    return 'etcd is not installed (Debian: etcd-server and etcd-client)'
  }
}

export class EtcdServers {
  readonly #folder: string
  readonly #args: readonly string[]
  readonly #tls: EtcdServersOptions['tls']
  readonly #members: readonly MemberProcess[]

  private constructor(folder: string, options: EtcdServersOptions, members: readonly MemberProcess[]) {
    this.#folder = folder
    this.#args = options.args ?? []
    this.#tls = options.tls
    this.#members = members
    // Members outlive nobody who forgets to stop them.
    process.once('exit', this.#killAll)
  }

  /** Resolves when the ensemble takes writes. */
  static async start(options: EtcdServersOptions = {}): Promise<EtcdServers> {
    const count = options.members ?? 3
    const folder = await mkdtemp(join(tmpdir(), 'ashlar-etcd-'))
    const ports = await freePorts(2 * count)
    const members = Array.from({ length: count }, (_, index) => ({
      name: `m${index}`,
      directory: join(folder, `m${index}`),
      client: ports[2 * index] ?? 0,
      peer: ports[2 * index + 1] ?? 0,
      process: undefined,
    }))
    const servers = new EtcdServers(folder, options, members)
    try {
      await Promise.all(members.map((_, index) => servers.#spawn(index)))
      await servers.ready()
      return servers
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  /** Members, dead or alive. */
  get size(): number {
    return this.#members.length
  }

  /** `host:port` for clients, of each member. */
  get endpoints(): string[] {
    return this.#members.map(({ client }) => `127.0.0.1:${client}`)
  }

  /** Address for `openEtcdEngine`; `rest` is what follows the hosts, such as `/prefix?quota=1GiB`. */
  url(rest = ''): string {
    return `etcd://${this.endpoints.join(',')}${rest}`
  }

  /** The member's process dies at once (SIGKILL). */
  async kill(index: number): Promise<void> {
    const member = this.#member(index)
    const { process } = member
    member.process = undefined
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return
    const exited = once(process, 'exit')
    process.kill('SIGKILL')
    await exited
  }

  /** The member stands still until it is told to go on, with all its connections open. */
  pause(index: number): void {
    this.#member(index).process?.kill('SIGSTOP')
  }

  resume(index: number): void {
    this.#member(index).process?.kill('SIGCONT')
  }

  /** Starts a member that was killed, on what its disk has. Resolves once it follows a leader. */
  async restart(index: number): Promise<void> {
    await this.#spawn(index, 'existing')
    await this.#eventually(async () => {
      const [status] = statusesIn(await this.ctl(['endpoint', 'status', '--write-out=json'], index))
      return status !== undefined && status.leader !== 0 ? true : undefined
    })
  }

  /** Index of the member that leads, once there is one. */
  async leader(): Promise<number> {
    return this.#eventually(async () => {
      const alive = this.#members.flatMap(({ process }, index) => (process === undefined ? [] : [index]))
      for (const index of alive) {
        try {
          const [status] = statusesIn(await this.ctl(['endpoint', 'status', '--write-out=json'], index))
          if (status !== undefined && status.leader !== 0 && status.leader === status.member) return index
        } catch {
          // Another may say so.
        }
      }
      return undefined
    })
  }

  /** Runs etcdctl against all members, or one. @returns what it printed */
  async ctl(args: readonly string[], index?: number): Promise<string> {
    const endpoints = index === undefined ? this.endpoints : [this.endpoints[index] ?? '']
    const client = this.#tls?.client
    const tls = [
      ...(this.#tls === undefined ? [] : ['--cacert', this.#tls.ca]),
      ...(client === undefined ? [] : ['--cert', client.cert, '--key', client.key]),
    ]
    const { stdout } = await execute(
      'etcdctl',
      ['--endpoints', endpoints.join(','), '--command-timeout', '3s', ...tls, ...args],
      { env: { PATH: process.env['PATH'] ?? '', ETCDCTL_API: '3' } },
    )
    return stdout
  }

  /** Resolves once the ensemble takes writes. */
  async ready(): Promise<void> {
    await this.leader()
    await this.#eventually(async () => {
      await this.ctl(['put', 'ready', 'yes'])
      await this.ctl(['del', 'ready'])
      return true
    })
  }

  /** What a member has printed, for a test that fails. */
  async log(index: number): Promise<string> {
    return readFile(`${this.#member(index).directory}.log`, 'utf8')
  }

  readonly #killAll = (): void => {
    for (const member of this.#members) member.process?.kill('SIGKILL')
  }

  /** Kills all members and removes what they wrote. */
  async stop(): Promise<void> {
    process.off('exit', this.#killAll)
    await Promise.all(this.#members.map((_, index) => this.kill(index)))
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #spawn(index: number, state: 'new' | 'existing' = 'new'): Promise<void> {
    const member = this.#member(index)
    await mkdir(member.directory, { recursive: true })
    const log = createWriteStream(`${member.directory}.log`, { flags: 'a' })
    await once(log, 'open')
    const tls = [
      ...(this.#tls === undefined ? [] : [`--cert-file=${this.#tls.cert}`, `--key-file=${this.#tls.key}`]),
      ...(this.#tls?.client === undefined ? [] : ['--client-cert-auth', `--trusted-ca-file=${this.#tls.ca}`]),
    ]
    const client = `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${member.client}`
    const peer = `http://127.0.0.1:${member.peer}`
    const cluster = this.#members.map(({ name, peer: port }) => `${name}=http://127.0.0.1:${port}`)
    member.process = spawn(
      'etcd',
      [
        `--name=${member.name}`,
        `--data-dir=${member.directory}`,
        `--listen-client-urls=${client}`,
        `--advertise-client-urls=${client}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=${cluster.join(',')}`,
        `--initial-cluster-state=${state}`,
        '--logger=zap',
        ...tls,
        ...this.#args,
      ],
      { stdio: ['ignore', log, log], env: { PATH: process.env['PATH'] ?? '' } },
    )
    member.process.on('exit', () => {
      log.close()
    })
  }

  #member(index: number): MemberProcess {
    const member = this.#members[index]
    if (member === undefined) throw new RangeError(`there is no member ${index}`)
    return member
  }

  async #eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
    const end = performance.now() + START_MS
    for (;;) {
      try {
        const found = await look()
        if (found !== undefined) return found
      } catch (error) {
        if (performance.now() > end) throw error
      }
      if (performance.now() > end) {
        throw new Error(`etcd is not ready:\n${(await this.log(0)).slice(-2000)}`)
      }
      await delay(50)
    }
  }
}

interface EndpointStatus {
  readonly member: number
  readonly leader: number
}

/** Ids of 64 bits come as numbers, so that they are compared to 53 bits: enough to tell three members apart. */
function statusesIn(json: string): EndpointStatus[] {
  const found: unknown = JSON.parse(json)
  if (!Array.isArray(found)) return []
  return found.flatMap((entry: unknown): EndpointStatus[] => {
    const status = fieldOf(entry, 'Status')
    const member = fieldOf(fieldOf(status, 'header'), 'member_id')
    const leader = fieldOf(status, 'leader') ?? 0
    return typeof member === 'number' && typeof leader === 'number' ? [{ member, leader }] : []
  })
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** Ports that were free a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(
    servers.map(async (server) => {
      server.close()
      await once(server, 'close')
    }),
  )
  return ports
}
