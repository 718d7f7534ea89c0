import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, chmod, chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'

/**
 * Real PostgreSQL servers for tests: started from the binaries of this machine, in a folder of their own, on a free port of
 * 127.0.0.1, with a password. PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`.
 *
 *     const reason = await postgresMissing()          // skip the test with it
 *     const primary = await startPostgres()
 *     const standby = await startStandby(primary)     // synchronous: a commit waits for both disks
 *     primary.kill()                                  // as if the machine had died
 *     await standby.promote()
 *     await Promise.all([standby.dispose(), primary.dispose()])
 */

const execute = promisify(execFile)

const USER = 'ashlar'
const PASSWORD = 'p@ss:word/?#%'
const DATABASE = 'postgres'
/** Where Debian has them, by major version: only `psql` and the like are in its path. */
const DEBIAN = '/usr/lib/postgresql'
const READY_TRIES = 600
const TRY_MS = 50

export interface PostgresOptions {
  /** Lines of postgresql.conf, such as `fsync: 'off'`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface PostgresServer {
  readonly port: number
  /** Password and database in it, no options. */
  readonly url: string
  /** `host:port`, to make a URL of several hosts: see {@link urlOf}. */
  readonly host: string
  /** Holds everything of the server, until {@link dispose}. */
  readonly folder: string
  /** Rows of a statement run by the superuser. */
  query(text: string): Promise<Record<string, unknown>[]>
  /** SIGKILL to all of its processes at once: a crash. Resolves when they are gone. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT of all its processes: a server that hangs, and does not know it. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Fast shutdown. */
  stop(): Promise<void>
  /** Starts again after {@link kill} or {@link stop}, on the same port; recovers what the log has. */
  restart(): Promise<void>
  /** Kills it, and removes its folder. */
  dispose(): Promise<void>
}

export interface PostgresStandby extends PostgresServer {
  /** Makes it the primary. Resolves when it takes writes. */
  promote(): Promise<void>
}

/** Why no server can be started here; false where one can. */
export async function postgresMissing(): Promise<string | false> {
  const folder = await binaries()
  if (folder === undefined) return 'PostgreSQL (initdb, postgres) is not installed'
  if ((await account()) === undefined) return 'PostgreSQL does not run as root, and there is no other account'
  return false
}

/** A URL of several servers, in the order in which they are tried. */
export function urlOf(servers: readonly Pick<PostgresServer, 'host'>[], options = ''): string {
  const hosts = servers.map(({ host }) => host).join(',')
  return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@${hosts}/${DATABASE}${options === '' ? '' : `?${options}`}`
}

/** Starts an empty server. @throws with its log when it does not come up */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await RealServer.prepare()
  try {
    await server.initialise()
    await server.configure(options.settings ?? {})
    await server.restart()
    return server
  } catch (error) {
    await server.dispose()
    throw error
  }
}

/**
 * Starts a copy of a running server that follows it, and makes the primary wait for it with every commit.
 * @param name by which the primary knows it
 * @param port of a server that is gone, whose place in a URL it takes; by default any that is free
 */
export async function startStandby(
  primary: PostgresServer,
  { name = 'standby', port }: { name?: string; port?: number } = {},
): Promise<PostgresStandby> {
  const server = await RealServer.prepare(port)
  try {
    await server.copy(primary, name)
    await server.configure({})
    await server.restart()
    await primary.query(`alter system set synchronous_standby_names to '${name}'`)
    await primary.query('select pg_reload_conf()')
    await until(async () => {
      const rows = await primary.query(
        `select 1 from pg_stat_replication where application_name = '${name}' and sync_state = 'sync'`,
      )
      return rows.length === 1
    }, 'a synchronous standby')
    return server
  } catch (error) {
    await server.dispose()
    throw error
  }
}

class RealServer implements PostgresStandby {
  readonly folder: string
  readonly port: number
  readonly #bin: string
  readonly #owner: Account
  readonly #data: string
  #process: { pid: number; exited: Promise<unknown> } | undefined
  #output = ''

  private constructor(folder: string, port: number, bin: string, owner: Account) {
    this.folder = folder
    this.port = port
    this.#bin = bin
    this.#owner = owner
    this.#data = join(folder, 'data')
  }

  static async prepare(port?: number): Promise<RealServer> {
    const [bin, owner] = [await binaries(), await account()]
    if (bin === undefined || owner === undefined) throw new Error(String(await postgresMissing()))
    // Not the TMPDIR: a path of a Unix socket has at most 107 bytes.
    const folder = await mkdtemp('/tmp/ashlar-postgres-')
    await chmod(folder, 0o700)
    if (owner.uid !== undefined && owner.gid !== undefined) await chown(folder, owner.uid, owner.gid)
    return new RealServer(folder, port ?? (await freePort()), bin, owner)
  }

  get host(): string {
    return `127.0.0.1:${this.port}`
  }

  get url(): string {
    return urlOf([this])
  }

  async initialise(): Promise<void> {
    const file = join(this.folder, 'password')
    await writeFile(file, PASSWORD, { mode: 0o644 })
    await this.#execute('initdb', [
      `--pgdata=${this.#data}`,
      `--username=${USER}`,
      `--pwfile=${file}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
    ])
  }

  async copy(primary: PostgresServer, name: string): Promise<void> {
    const from = `host=127.0.0.1 port=${primary.port} user=${USER} password='${PASSWORD}' application_name=${name}`
    await this.#execute('pg_basebackup', [
      `--pgdata=${this.#data}`,
      `--dbname=${from}`,
      '--write-recovery-conf',
      '--wal-method=stream',
      '--checkpoint=fast',
      '--no-sync',
    ])
  }

  /** A later file wins over an earlier one and over what a copy brought along. */
  async configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const all = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: this.folder,
      shared_buffers: '32MB',
      max_connections: '100',
      // A killed primary is noticed at once by its closed sockets; these are for one that hangs.
      wal_sender_timeout: '5s',
      wal_receiver_timeout: '5s',
      wal_retrieve_retry_interval: '200ms',
      ...settings,
    }
    const lines = Object.entries(all).map(([name, value]) => `${name} = '${value}'\n`)
    const conf = join(this.#data, 'postgresql.conf')
    await writeFile(conf, lines.join(''))
  }

  async query(text: string): Promise<Record<string, unknown>[]> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.port,
      user: USER,
      password: PASSWORD,
      database: DATABASE,
      ssl: false,
    })
    // A server that is killed meanwhile: the query itself fails.
    client.on('error', () => undefined)
    await client.connect()
    try {
      const { rows } = await client.query<Record<string, unknown>>(text)
      return rows
    } finally {
      await client.end()
    }
  }

  async restart(): Promise<void> {
    if (this.#process !== undefined) throw new Error('PostgreSQL runs already')
    this.#output = ''
    const child = spawn(join(this.#bin, 'postgres'), ['-D', this.#data], {
      ...this.#owner,
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-20_000)
    })
    const exited = once(child, 'exit')
    if (child.pid === undefined) {
      await exited
      throw new Error('PostgreSQL could not be started')
    }
    const running = { pid: child.pid, exited }
    this.#process = running
    void exited.then(() => {
      if (this.#process === running) this.#process = undefined
    })
    await until(async () => {
      if (this.#process === undefined) throw new Error(`PostgreSQL has ended: ${this.#output}`)
      try {
        await this.query('select 1')
        return true
      } catch {
        return false
      }
    }, 'PostgreSQL to answer').catch(async (error: unknown) => {
      await this.kill()
      throw new Error(`PostgreSQL did not start: ${this.#output}`, { cause: error })
    })
  }

  async kill(): Promise<void> {
    const running = this.#process
    if (running === undefined) return
    // Stopped first, so that it starts no more children while they are listed.
    signal(running.pid, 'SIGSTOP')
    const children = await childrenOf(running.pid)
    for (const pid of [...children, running.pid]) signal(pid, 'SIGKILL')
    await running.exited
    // A new one would find the shared memory of the old in use.
    await until(async () => children.every((pid) => !signal(pid, 0)), 'the processes to end')
    // Its parent is gone, and what it left cannot mislead the next start.
    await rm(join(this.#data, 'postmaster.pid'), { force: true })
  }

  async pause(): Promise<void> {
    await this.#signalAll('SIGSTOP')
  }

  async resume(): Promise<void> {
    await this.#signalAll('SIGCONT')
  }

  async stop(): Promise<void> {
    const running = this.#process
    if (running === undefined) return
    signal(running.pid, 'SIGINT')
    await running.exited
  }

  async promote(): Promise<void> {
    await this.query('select pg_promote(true, 60)')
    await until(async () => {
      const [row] = await this.query('select pg_is_in_recovery() as recovers')
      return row?.['recovers'] === false
    }, 'the standby to be promoted')
  }

  async dispose(): Promise<void> {
    await this.kill()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #signalAll(name: NodeJS.Signals): Promise<void> {
    const running = this.#process
    if (running === undefined) return
    // The parent first, so that it starts no child that would be missed.
    signal(running.pid, name)
    for (const pid of await childrenOf(running.pid)) signal(pid, name)
  }

  async #execute(program: string, args: readonly string[]): Promise<void> {
    const { PATH = '' } = process.env
    await execute(join(this.#bin, program), args, {
      ...this.#owner,
      cwd: this.folder,
      env: { PATH, LC_ALL: 'C' },
    })
  }
}

interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** The folder of the newest server that is installed. */
async function binaries(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN).catch(() => [])
  const debian = versions
    .toSorted((left, right) => Number(right) - Number(left))
    .map((version) => join(DEBIAN, version, 'bin'))
  for (const folder of [...debian, ...(process.env['PATH'] ?? '').split(delimiter)]) {
    try {
      for (const program of ['initdb', 'postgres', 'pg_basebackup']) {
        await access(join(folder, program), constants.X_OK)
      }
      return folder
    } catch {
      continue
    }
  }
  return undefined
}

/** As whom a server runs; nothing: as whoever runs the test. */
async function account(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await execute('id', [flag, name])).stdout)),
      )
      if (uid !== undefined && gid !== undefined && uid > 0) return { uid, gid }
    } catch {
      continue
    }
  }
  return undefined
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function childrenOf(parent: number): Promise<number[]> {
  const { stdout } = await execute('ps', ['-A', '-o', 'pid=,ppid='])
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

/** Whether there is such a process. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}

/** Asks until the answer is yes; a minute at most on the slowest machine, and no longer than it takes. */
async function until(ask: () => Promise<boolean>, what: string): Promise<void> {
  for (let left = READY_TRIES; left > 0; left--) {
    if (await ask()) return
    await delay(TRY_MS)
  }
  throw new Error(`waited in vain for ${what}`)
}
