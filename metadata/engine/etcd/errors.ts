import { status } from '@grpc/grpc-js'

/**
 * What one attempt at one member came to. etcd's errors: api/v3rpc/rpctypes/error.go of github.com/etcd-io/etcd.
 *
 * Only a request that no connection took is known to have done nothing. All that etcd calls `Unavailable` (`no leader`,
 * `leader changed`, `request timed out` and its variants, `server stopped`) and every answer that did not come may belong to a
 * request that is carried out yet: raft forwards and keeps proposals that nobody waits for any more.
 */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  readonly code: status
  readonly kind: EtcdErrorKind

  constructor(message: string, code: status, kind: EtcdErrorKind) {
    super(message)
    this.code = code
    this.kind = kind
  }

  get final(): boolean {
    return FINAL.has(this.kind)
  }
}

/**
 * - `unsent`: no connection; nothing was done
 * - `busy`: refused before it was proposed; nothing was done
 * - `token`: the token of the user is too old; nothing was done
 * - `unknown`: may have been done, or may be done later
 * - `answer-too-large`, `request-too-large`, `compacted`, `refused`: will be the same at every member; nothing was done
 * - `no-space`: the quota; etcd says so before a write and also, of one that was carried out, after it
 */
type EtcdErrorKind =
  | 'unsent'
  | 'busy'
  | 'token'
  | 'unknown'
  | 'answer-too-large'
  | 'request-too-large'
  | 'compacted'
  | 'refused'
  | 'no-space'

const FINAL: ReadonlySet<EtcdErrorKind> = new Set([
  'answer-too-large',
  'request-too-large',
  'compacted',
  'refused',
  'no-space',
])

/** By code and text, for etcd uses few codes for many errors. */
export function kindOf(code: status, details: string): EtcdErrorKind {
  switch (code) {
    case status.RESOURCE_EXHAUSTED:
      if (details.includes('database space exceeded')) return 'no-space'
      if (details.includes('too many requests')) return 'busy'
      if (details.startsWith('grpc: ') && details.includes('larger than max')) return 'request-too-large'
      if (details.includes('larger than max')) return 'answer-too-large'
      return 'unknown'
    case status.OUT_OF_RANGE:
      return details.includes('compacted') ? 'compacted' : 'refused'
    case status.UNAUTHENTICATED:
      return 'token'
    case status.INVALID_ARGUMENT:
      if (details.includes('revision of auth store is old')) return 'token'
      if (details.includes('request is too large') || details.includes('too many operations')) {
        return 'request-too-large'
      }
      return 'refused'
    case status.FAILED_PRECONDITION:
      return details.includes('not capable') ? 'busy' : 'refused'
    case status.PERMISSION_DENIED:
    case status.NOT_FOUND:
    case status.UNIMPLEMENTED:
      return 'refused'
    default:
      return 'unknown'
  }
}

/** Of what grpc-js says to a request that no connection took, what the network or TLS said. One line; empty: nothing. */
export function connectFailureOf(details: string): string {
  const [, last = ''] = /Last error: (?:Error: )?(.*?)(?:\. Resolution note: .*)?$/s.exec(details) ?? []
  // OpenSSL's own words: `406D…:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../deps/…`
  const [, alert] = /:(?:ssl\/tls|tlsv1|tlsv13) alert ([a-z ]+):/.exec(last) ?? []
  if (alert !== undefined) return `it refuses our certificate, or that there is none: TLS alert ${alert}`
  return (last.split('\n', 1)[0] ?? '').replace(/; if the root CA is installed locally.*$/, '').trim()
}
