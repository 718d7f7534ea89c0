import { Client } from 'pg'
import { POSTGRES_CLOSE_MS, POSTGRES_KEEPALIVE_MS } from '../../../core/limits.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { ConnectionLostError, endsSession, isDatabaseError, reasonOf } from './errors.ts'
import type { Tls } from './tls.ts'
import type { Unanswered } from './unanswered.ts'
import { UnitOfWork, UnitRefusedError } from './unit-of-work.ts'
import type { PostgresHost, PostgresTarget, TransactionKind } from './url.ts'

/** A statement with its parameters; one with a name is prepared once a connection. */
export interface Statement {
  readonly name?: string
  readonly text: string
  readonly values: readonly (Uint8Array | string | number)[]
}

/** What an opened connection goes by. */
export interface ConnectionOptions {
  readonly clock: Clock
  /** Time for an answer; after that the connection is given up. */
  readonly replyMs: number
  /** Is told of all that is asked. */
  readonly unanswered?: Unanswered
}

type Cell = Buffer | string | number | boolean | null

/** What the driver says of a host that lets the time pass, or ends the connection, without a reason. */
const SILENT_ENDS: ReadonlySet<string> = new Set([
  'timeout expired',
  'Connection terminated',
  'Connection terminated unexpectedly',
])
const NO_TLS = 'The server does not support SSL connections'

/** One session. One call at a time. */
export class PostgresConnection {
  readonly #client: Client
  readonly #options: ConnectionOptions
  /** Names of statements that this session has prepared for units of work. */
  readonly #prepared = new Set<string>()
  #lost: ConnectionLostError | undefined
  #warning: string | undefined

  private constructor(client: Client, options: ConnectionOptions) {
    this.#client = client
    this.#options = options
    client.on('error', (error) => {
      this.#lost ??= new ConnectionLostError(`the connection to PostgreSQL is lost: ${error.message}`, {
        cause: error,
      })
    })
    client.on('end', () => {
      this.#lost ??= new ConnectionLostError('the connection to PostgreSQL has ended')
    })
    client.on('notice', (notice) => {
      this.#warning ??= notice.message ?? 'a warning without words'
    })
  }

  /** @throws what the network, TLS or the server says */
  static async open(
    host: PostgresHost,
    target: PostgresTarget,
    tls: Tls,
    options: ConnectionOptions,
  ): Promise<PostgresConnection> {
    // libpq uses no TLS over a Unix socket either.
    const ssl = host.host.startsWith('/') ? false : tls
    try {
      return await connect(host, target, ssl, options)
    } catch (error) {
      if (target.sslMode !== 'prefer' || !(error instanceof Error) || error.message !== NO_TLS) throw error
      return await connect(host, target, false, options)
    }
  }

  static async opened(client: Client, options: ConnectionOptions): Promise<PostgresConnection> {
    const connection = new PostgresConnection(client, options)
    const heard = options.unanswered?.add((reason) => {
      client.connection.stream.destroy(new ConnectionLostError(`no connection was made: ${reason}`))
    })
    try {
      await client.connect()
    } catch (error) {
      client.connection.stream.destroy()
      throw error instanceof Error && SILENT_ENDS.has(error.message)
        ? new ConnectionLostError(reasonOf(error), { cause: error })
        : error
    } finally {
      heard?.()
    }
    return connection
  }

  /** False once it has ended, for whatever reason. */
  get usable(): boolean {
    return this.#lost === undefined
  }

  /** Statements that need no answer, in one message. */
  async run(text: string): Promise<void> {
    await this.#answered(() => this.#client.query(text))
  }

  /**
   * Rows as arrays, in the order of the columns; bytea as a Buffer.
   * @throws {ConnectionLostError}
   * @throws {DatabaseError} the server refuses
   */
  async query(statement: Statement): Promise<Cell[][]> {
    const { rows } = await this.#answered(() =>
      this.#client.query<Cell[]>({ ...statement, values: [...statement.values], rowMode: 'array' }),
    )
    return rows
  }

  /**
   * Statements that take effect together or not at all. `implicit`: in one round trip, see {@link UnitOfWork}. `explicit`:
   * between BEGIN and COMMIT, each sent when the one before was answered.
   * @returns what the server warned of meanwhile
   * @throws {UnitRefusedError} nothing took effect
   * @throws anything else: unknown
   */
  async together(
    statements: readonly Required<Statement>[],
    kind: TransactionKind,
  ): Promise<string | undefined> {
    this.#warning = undefined
    if (kind === 'explicit') {
      await this.#oneByOne(statements)
      return this.#warning
    }
    const unit = new UnitOfWork(statements, this.#prepared)
    await this.#answered(() => {
      this.#client.query(unit)
      return unit.done
    })
    return this.#warning
  }

  /** Lets the session go in order, unless the server does not say that it has gone. */
  async close(): Promise<void> {
    if (!this.usable) return
    const stop = this.#options.clock.after(POSTGRES_CLOSE_MS, () => {
      this.destroy('the server does not close it')
    })
    try {
      await this.#client.end()
    } finally {
      stop()
    }
  }

  /** Cuts the connection: what runs on it has an unknown outcome. */
  destroy(reason: string): void {
    this.#lost ??= new ConnectionLostError(`the connection to PostgreSQL was given up: ${reason}`)
    this.#client.connection.stream.destroy()
  }

  async #oneByOne(statements: readonly Required<Statement>[]): Promise<void> {
    try {
      await this.run('begin')
      for (const statement of statements) await this.query(statement)
    } catch (error) {
      // Without a COMMIT nothing takes effect, whether or not the server hears of it.
      if (this.usable) await this.run('rollback').catch((cause: unknown) => this.destroy(reasonOf(cause)))
      throw new UnitRefusedError(`PostgreSQL refused: ${reasonOf(error)}`, { cause: error })
    }
    const { command } = await this.#answered(() => this.#client.query('commit'))
    if (command !== 'COMMIT') throw new Error(`PostgreSQL answered COMMIT with ${command}`)
  }

  async #answered<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost
    const { clock, replyMs, unanswered } = this.#options
    const stop = clock.after(replyMs, () => {
      this.destroy(`no answer within ${replyMs} ms`)
    })
    const heard = unanswered?.add((reason) => {
      this.destroy(reason)
    })
    try {
      return await ask()
    } catch (error) {
      const said = error instanceof UnitRefusedError ? error.cause : error
      if (isDatabaseError(said)) {
        if (endsSession(said)) this.destroy(said.message)
        throw error
      }
      // The driver's own words for a lost connection are many; this one says why.
      throw this.#lost ?? error
    } finally {
      stop()
      heard?.()
    }
  }
}

function connect(
  { host, port }: PostgresHost,
  target: PostgresTarget,
  ssl: Tls,
  options: ConnectionOptions,
): Promise<PostgresConnection> {
  const client = new Client({
    host,
    port,
    ssl,
    user: target.user,
    password: target.password,
    database: target.database,
    application_name: target.applicationName,
    connectionTimeoutMillis: target.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: POSTGRES_KEEPALIVE_MS,
  })
  return PostgresConnection.opened(client, options)
}
