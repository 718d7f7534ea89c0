import {
  POSTGRES_CONNECT_SECONDS_DEFAULT,
  POSTGRES_CONNECT_SECONDS_MAX,
  POSTGRES_HOSTS_MAX,
  POSTGRES_POOL_DEFAULT,
  POSTGRES_POOL_MAX,
  POSTGRES_REPLY_MS_DEFAULT,
  POSTGRES_REPLY_MS_MAX,
  POSTGRES_REPLY_MS_MIN,
} from '../../../core/limits.ts'
import { EngineOpenError } from '../engine.ts'

/** As libpq has them, without `allow`. */
export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'

export interface PostgresHost {
  /** A name, an address, or the folder of a Unix socket, which starts with a slash. */
  readonly host: string
  readonly port: number
}

/** Where the server is, as the URL says it. */
export interface PostgresTarget {
  readonly hosts: readonly PostgresHost[]
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly sslMode: SslMode
  /** Paths of PEM files. */
  readonly sslRootCert: string | undefined
  readonly sslCert: string | undefined
  readonly sslKey: string | undefined
  readonly connectMs: number
  readonly replyMs: number
  readonly poolSize: number
  readonly applicationName: string
  /** A name that needs no quotes. */
  readonly table: string
  /** How a batch is sent: see {@link PostgresConnection.together}. Undefined: as the server wants it. */
  readonly transaction: TransactionKind | undefined
}

export type TransactionKind = 'implicit' | 'explicit'

const PORT_DEFAULT = 5432
const URL_PARTS = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/
const HOST_PARTS = /^(\[[0-9a-fA-F:.%]+\]|[^:]+)(?::(\d{1,5}))?$/
const TABLE_NAME = /^[a-z_][a-z0-9_]{0,62}$/
const SSL_MODES: readonly SslMode[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']
const OPTIONS = [
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'connect_timeout',
  'statement_timeout',
  'pool_size',
  'application_name',
  'table',
  'transaction',
  'target_session_attrs',
] as const

type Option = (typeof OPTIONS)[number]

/**
 * Reads `postgres://user:password@host:port,host:port/database?option=value`. docs/engines.md lists the options. What is
 * thrown never repeats the URL: it may hold a password.
 * @throws {EngineOpenError}
 */
export function parsePostgresUrl(url: string): PostgresTarget {
  const parts = URL_PARTS.exec(url)
  if (parts === null) {
    throw refused('it is not postgres://user:password@host:port,host:port/database?option=value')
  }
  const [, login = '', hosts = '', database = '', query = ''] = parts
  const [user = '', ...password] = login.split(':')
  if (user === '') throw refused('it names no user')
  if (database === '') throw refused('it names no database')
  const options = optionsOf(query)
  const sslMode = sslModeOf(options)
  const target: PostgresTarget = {
    hosts: hostsOf(hosts),
    user: decode(user, 'user'),
    password: password.length === 0 ? undefined : decode(password.join(':'), 'password'),
    database: decode(database, 'database'),
    sslMode,
    sslRootCert: options.get('sslrootcert'),
    sslCert: options.get('sslcert'),
    sslKey: options.get('sslkey'),
    connectMs:
      1000 *
      wholeNumber(
        options,
        'connect_timeout',
        POSTGRES_CONNECT_SECONDS_DEFAULT,
        1,
        POSTGRES_CONNECT_SECONDS_MAX,
      ),
    replyMs: wholeNumber(
      options,
      'statement_timeout',
      POSTGRES_REPLY_MS_DEFAULT,
      POSTGRES_REPLY_MS_MIN,
      POSTGRES_REPLY_MS_MAX,
    ),
    poolSize: wholeNumber(options, 'pool_size', POSTGRES_POOL_DEFAULT, 1, POSTGRES_POOL_MAX),
    applicationName: options.get('application_name') ?? 'ashlar-metadata',
    table: options.get('table') ?? 'ashlar_metadata',
    transaction: transactionOf(options),
  }
  assertConsistent(target, options)
  return target
}

/** `host:port`, for logs and errors. */
export function hostName({ host, port }: PostgresHost): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function assertConsistent(target: PostgresTarget, options: ReadonlyMap<Option, string>): void {
  const { sslMode, sslRootCert, sslCert, sslKey, table } = target
  if ((sslMode === 'verify-ca' || sslMode === 'verify-full') && sslRootCert === undefined) {
    throw refused(`sslmode=${sslMode} needs sslrootcert, or sslrootcert=system`)
  }
  if (sslRootCert === 'system' && sslMode !== 'verify-full') {
    throw refused('sslrootcert=system needs sslmode=verify-full')
  }
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    throw refused('sslcert and sslkey are given together or not at all')
  }
  if (sslMode === 'disable' && (sslRootCert ?? sslCert) !== undefined) {
    throw refused('sslmode=disable leaves its certificates unused')
  }
  if (!TABLE_NAME.test(table)) {
    throw refused('table is 1 to 63 lower-case letters, digits and underscores, and starts with no digit')
  }
  // The only kind of server that the engine goes to, so nothing else can be asked for.
  const attributes = options.get('target_session_attrs') ?? 'read-write'
  if (attributes !== 'read-write' && attributes !== 'primary') {
    throw refused('target_session_attrs can only be read-write')
  }
}

function hostsOf(text: string): PostgresHost[] {
  const hosts = text.split(',').map((one) => {
    const parts = HOST_PARTS.exec(one)
    if (parts === null) throw refused('a host is missing, or is not host:port')
    const [, host = '', port] = parts
    const number = port === undefined ? PORT_DEFAULT : Number(port)
    if (number < 1 || number > 65_535) throw refused(`there is no port ${number}`)
    return { host: decode(host.replace(/^\[|\]$/g, ''), 'host'), port: number }
  })
  if (hosts.length > POSTGRES_HOSTS_MAX) throw refused(`it has more than ${POSTGRES_HOSTS_MAX} hosts`)
  return hosts
}

function optionsOf(query: string): Map<Option, string> {
  const options = new Map<Option, string>()
  for (const pair of query === '' ? [] : query.split('&')) {
    const [name = '', ...value] = pair.split('=')
    const option = OPTIONS.find((one) => one === name)
    if (option === undefined) throw refused(`it has an unknown option; there are ${OPTIONS.join(', ')}`)
    if (options.has(option)) throw refused(`${option} is given twice`)
    options.set(option, decode(value.join('='), option))
  }
  return options
}

function sslModeOf(options: ReadonlyMap<Option, string>): SslMode {
  const given = options.get('sslmode')
  if (given === undefined) return 'prefer'
  const mode = SSL_MODES.find((one) => one === given)
  if (mode === undefined) throw refused(`sslmode is one of ${SSL_MODES.join(', ')}`)
  // As libpq: whoever names the authority wants it to be asked.
  return mode === 'require' && options.has('sslrootcert') ? 'verify-ca' : mode
}

function transactionOf(options: ReadonlyMap<Option, string>): TransactionKind | undefined {
  const kind = options.get('transaction')
  if (kind === undefined || kind === 'implicit' || kind === 'explicit') return kind
  throw refused('transaction is implicit or explicit')
}

function wholeNumber(
  options: ReadonlyMap<Option, string>,
  option: Option,
  otherwise: number,
  least: number,
  most: number,
): number {
  const text = options.get(option)
  if (text === undefined) return otherwise
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw refused(`${option} is a whole number of ${least} to ${most}`)
  return value
}

function decode(text: string, what: string): string {
  let decoded
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw refused(`its ${what} is not percent-encoded UTF-8`)
  }
  if (decoded.includes('\0')) throw refused(`its ${what} contains a NUL`)
  return decoded
}

function refused(reason: string): EngineOpenError {
  return new EngineOpenError(`the URL of PostgreSQL is refused: ${reason}`)
}
