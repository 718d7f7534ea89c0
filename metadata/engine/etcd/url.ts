import {
  ETCD_PREFIX_LENGTH_MAX,
  ETCD_QUOTA_BYTES_DEFAULT,
  ETCD_REQUEST_BYTES_DEFAULT,
  ETCD_TXN_OPERATIONS_DEFAULT,
} from '../../../core/limits.ts'
import { EngineOpenError } from '../engine.ts'

export interface EtcdConfig {
  /** `host:port` of each member. */
  readonly endpoints: readonly string[]
  readonly user: string | undefined
  /** Never logged, nor part of an error. */
  readonly password: string | undefined
  /** What all keys begin with; ends with `/`. */
  readonly prefix: string
  /** Paths of PEM files. */
  readonly tls:
    | { readonly ca: string | undefined; readonly cert: string | undefined; readonly key: string | undefined }
    | undefined
  /** --quota-backend-bytes of the members. */
  readonly quotaBytes: number
  /** --max-txn-ops of the members. */
  readonly txnOperations: number
  /** --max-request-bytes of the members. */
  readonly requestBytes: number
}

const SHAPE = /^etcd:\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/
const ENDPOINT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/
const PREFIX = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/
const DEFAULT_PORT = 2379
const DEFAULT_PREFIX = 'ashlar'
const OPTIONS = ['tls', 'ca', 'cert', 'key', 'quota', 'txn-ops', 'request-bytes']

/**
 * Reads `etcd://[user:pass@]host[:port],…[/prefix][?options]`. docs/engines.md lists the options.
 * @throws {EngineOpenError} never with the password in it
 */
export function parseEtcdUrl(url: string): EtcdConfig {
  const match = SHAPE.exec(url)
  if (match === null) throw new EngineOpenError('an etcd engine is written etcd://host:port,host:port/prefix')
  const [, credentials, hosts = '', path = '', query = ''] = match
  const options = new URLSearchParams(query)
  for (const name of options.keys()) {
    if (!OPTIONS.includes(name)) {
      throw new EngineOpenError(`no option of an etcd engine: ${name}; there are ${OPTIONS.join(', ')}`)
    }
    if (options.getAll(name).length > 1) throw new EngineOpenError(`given twice: ${name}`)
  }
  return {
    endpoints: endpointsOf(hosts),
    ...credentialsOf(credentials),
    prefix: prefixOf(path),
    tls: tlsOf(options),
    quotaBytes: numberOf(options, 'quota', ETCD_QUOTA_BYTES_DEFAULT, 1024 * 1024),
    txnOperations: numberOf(options, 'txn-ops', ETCD_TXN_OPERATIONS_DEFAULT, ETCD_TXN_OPERATIONS_DEFAULT),
    requestBytes: numberOf(
      options,
      'request-bytes',
      ETCD_REQUEST_BYTES_DEFAULT,
      ETCD_REQUEST_BYTES_DEFAULT / 2,
    ),
  }
}

function endpointsOf(hosts: string): string[] {
  const endpoints = hosts.split(',').map((host) => {
    const [, name, port = String(DEFAULT_PORT)] = ENDPOINT.exec(host) ?? []
    if (name === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw new EngineOpenError(`no host:port of an etcd member: ${host}`)
    }
    return `${name}:${Number(port)}`
  })
  if (new Set(endpoints).size < endpoints.length) {
    throw new EngineOpenError('the same etcd member is listed twice')
  }
  return endpoints
}

function credentialsOf(text: string | undefined): Pick<EtcdConfig, 'user' | 'password'> {
  if (text === undefined) return { user: undefined, password: undefined }
  const colon = text.indexOf(':')
  try {
    const user = decodeURIComponent(text.slice(0, colon))
    const password = decodeURIComponent(text.slice(colon + 1))
    if (colon > 0 && password !== '') return { user, password }
  } catch {
    // As any other that is not well-formed.
  }
  throw new EngineOpenError('credentials of etcd are written user:password@, with %XX for what is special')
}

function prefixOf(path: string): string {
  const prefix = path.replace(/\/$/, '') || DEFAULT_PREFIX
  if (!PREFIX.test(prefix) || prefix.length >= ETCD_PREFIX_LENGTH_MAX) {
    throw new EngineOpenError(
      `a prefix of keys in etcd has fewer than ${ETCD_PREFIX_LENGTH_MAX} letters, digits and . _ - with / between`,
    )
  }
  return `${prefix}/`
}

function tlsOf(options: URLSearchParams): EtcdConfig['tls'] {
  const tls = options.get('tls')
  const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => options.get(name) ?? undefined)
  const files = ca !== undefined || cert !== undefined || key !== undefined
  if (tls !== null && tls !== 'true' && tls !== 'false') {
    throw new EngineOpenError('tls is true or false')
  }
  if (tls === 'false' && files) throw new EngineOpenError('ca, cert and key are for tls=true')
  if ((cert === undefined) !== (key === undefined)) {
    throw new EngineOpenError('cert and key are given together')
  }
  return tls === 'true' || files ? { ca, cert, key } : undefined
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 * 1024,
  GiB: 1024 * 1024 * 1024,
}

function numberOf(options: URLSearchParams, name: string, otherwise: number, min: number): number {
  const text = options.get(name)
  if (text === null) return otherwise
  const [, digits, unit = ''] = /^([0-9]{1,15})(KiB|MiB|GiB)?$/.exec(text) ?? []
  const value = Number(digits) * (UNITS[unit] ?? Number.NaN)
  if (!Number.isSafeInteger(value) || value < min) {
    throw new EngineOpenError(
      `${name} is a whole number from ${min}, with KiB, MiB or GiB where it is of bytes`,
    )
  }
  return value
}
