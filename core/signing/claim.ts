/**
 * Reads what a request claims about who sent it: by `Authorization` header, by presigned query, or not at all.
 * Nothing is believed yet: `verifyClaim` decides.
 * Sources: S3, "Authenticating Requests (AWS Signature Version 4)"; messages as the service sends them.
 */
import { PRESIGNED_SECONDS_MAX } from '../limits.ts'
import { parseQuery, type QueryParameter } from './canonical.ts'
import {
  parseCredential,
  refuseCredential,
  type Credential,
  type EndpointScope,
  type Mechanism,
} from './credential.ts'
import { refuse, refuseArgument, type SigningFailure } from './failure.ts'
import { parsePayloadMode, type PayloadMode } from './payload.ts'
import { headerValue, headerValues, type SignableRequest } from './request.ts'
import { formatAmzDate, parseAmzDate, parseHttpDate } from './time.ts'

/** A signature, and all it speaks about. */
export interface SignatureClaim extends Credential {
  readonly ok: true
  readonly kind: 'signed'
  readonly mechanism: Mechanism
  /** The request's time as signed, `yyyyMMdd'T'HHmmss'Z'`, and as Unix milliseconds. */
  readonly timestamp: string
  readonly timeMs: number
  /** Lower case, sorted. */
  readonly signedHeaders: readonly string[]
  /** As sent; perhaps not even hex. */
  readonly signature: string
  /** Seconds from the request's time; presigned only. */
  readonly expiresSeconds?: number
  readonly securityToken?: string
  readonly payload: PayloadMode
  /** The last line of the canonical request. */
  readonly payloadHash: string
  /** The parameters the canonical query holds: all, but a presigned URL's signature. */
  readonly parameters: readonly QueryParameter[]
}

/** A request that claims nothing. */
export interface AnonymousClaim {
  readonly ok: true
  readonly kind: 'anonymous'
  readonly payload: PayloadMode
}

/** The one algorithm that is spoken here. */
export const ALGORITHM = 'AWS4-HMAC-SHA256'
const ONE_MECHANISM =
  'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified'
/** What regions that never spoke Signature Version 2 answer to it, in whatever form it comes. */
export const VERSION_2_REFUSED =
  'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.'

/** The claim of a request at this endpoint, or S3's refusal of its form. */
export function readClaim(
  request: SignableRequest,
  endpoint: EndpointScope,
): SignatureClaim | AnonymousClaim | SigningFailure {
  const parameters = parseQuery(request.rawQuery)
  const authorizations = headerValues(request.headers, 'authorization').filter((value) => value !== '')
  const authorization = authorizations[0]
  const names = new Set(parameters.map(({ name }) => name.toLowerCase()))
  const presigned = ['x-amz-algorithm', 'x-amz-credential', 'x-amz-signature'].some((name) => names.has(name))
  const version2 = names.has('signature') && names.has('awsaccesskeyid')

  if (authorization !== undefined) {
    if (presigned || version2 || authorizations.length > 1) {
      return refuseArgument(ONE_MECHANISM, 'Authorization', authorization)
    }
    return readHeader(authorization, request, parameters, endpoint)
  }
  if (presigned) return readPresigned(request, parameters, endpoint)
  if (version2) return refuse('InvalidRequest', VERSION_2_REFUSED)
  return readAnonymous(request)
}

function readAnonymous(request: SignableRequest): AnonymousClaim | SigningFailure {
  const value = headerValue(request.headers, 'x-amz-content-sha256')
  const payload = value === undefined ? ({ kind: 'unsigned' } as const) : parsePayloadMode(value)
  if ('ok' in payload) return payload
  if (payload.kind === 'signed-chunks') {
    const message =
      "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER."
    return refuse('InvalidRequest', message)
  }
  return { ok: true, kind: 'anonymous', payload }
}

function readHeader(
  authorization: string,
  request: SignableRequest,
  parameters: readonly QueryParameter[],
  endpoint: EndpointScope,
): SignatureClaim | SigningFailure {
  const space = authorization.indexOf(' ')
  const scheme = space < 0 ? authorization : authorization.slice(0, space)
  if (scheme === 'AWS') return refuse('InvalidRequest', VERSION_2_REFUSED)
  if (space < 0) {
    const message = "Authorization header is invalid -- one and only one ' ' (space) required."
    return refuseArgument(message, 'Authorization', authorization)
  }
  if (scheme !== ALGORITHM) {
    return refuseArgument('Unsupported Authorization Type', 'Authorization', authorization)
  }
  const components = readComponents(authorization.slice(space + 1))
  if ('ok' in components) return components
  const credential = parseCredential(components.credential, 'header', endpoint)
  if ('ok' in credential) return credential

  const time = readTime(request)
  if (time === undefined) {
    return refuse('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  }
  const day = time.timestamp.slice(0, 8)
  if (day !== credential.scope.date) {
    const detail = `Invalid credential date "${credential.scope.date}". This date is not the same as X-Amz-Date: "${day}".`
    return refuseCredential('header', detail)
  }
  const payloadHash = headerValue(request.headers, 'x-amz-content-sha256')
  if (payloadHash === undefined) {
    return refuse('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  }
  const payload = parsePayloadMode(payloadHash)
  if ('ok' in payload) return payload
  const securityToken = headerValue(request.headers, 'x-amz-security-token')
  return {
    ok: true,
    kind: 'signed',
    mechanism: 'header',
    ...credential,
    ...time,
    signedHeaders: signedNames(components.signedHeaders),
    signature: components.signature,
    ...(securityToken === undefined ? {} : { securityToken }),
    payload,
    payloadHash,
    parameters,
  }
}

interface Components {
  readonly credential: string
  readonly signedHeaders: string
  readonly signature: string
}

function readComponents(text: string): Components | SigningFailure {
  const parts = text.split(',').map((part) => part.trim())
  if (parts.length !== 3) {
    const three =
      'the authorization header requires three components: Credential, SignedHeaders, and Signature.'
    return refuseCredential('header', three)
  }
  const found = new Map<string, string>()
  for (const part of parts) {
    const equals = part.indexOf('=')
    if (equals < 0) return refuseCredential('header', `the authorization component "${part}" is malformed.`)
    found.set(part.slice(0, equals), part.slice(equals + 1))
  }
  const credential = found.get('Credential')
  if (credential === undefined) return refuseCredential('header', 'missing Credential.')
  const signedHeaders = found.get('SignedHeaders')
  if (signedHeaders === undefined) return refuseCredential('header', 'missing SignedHeaders.')
  const signature = found.get('Signature')
  if (signature === undefined) return refuseCredential('header', 'missing Signature.')
  return { credential, signedHeaders, signature }
}

/** `x-amz-date` rules over `Date`, which proxies and browsers set as they like. */
function readTime({ headers }: SignableRequest): { timestamp: string; timeMs: number } | undefined {
  const text = headerValue(headers, 'x-amz-date') ?? headerValue(headers, 'date')
  if (text === undefined) return undefined
  const basicMs = parseAmzDate(text)
  if (basicMs !== undefined) return { timestamp: text, timeMs: basicMs }
  const timeMs = parseHttpDate(text)
  return timeMs === undefined ? undefined : { timestamp: formatAmzDate(timeMs), timeMs }
}

function signedNames(list: string): readonly string[] {
  return list
    .split(';')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
    .sort()
}

const requiredParameters =
  'X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires'

function readPresigned(
  request: SignableRequest,
  all: readonly QueryParameter[],
  endpoint: EndpointScope,
): SignatureClaim | SigningFailure {
  const get = (wanted: string): string | undefined =>
    all.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.value
  const fail = (message: string) => refuse('AuthorizationQueryParametersError', message)

  const [algorithm, credentialText, timestamp] = [
    get('X-Amz-Algorithm'),
    get('X-Amz-Credential'),
    get('X-Amz-Date'),
  ]
  const [signature, names, expires] = [
    get('X-Amz-Signature'),
    get('X-Amz-SignedHeaders'),
    get('X-Amz-Expires'),
  ]
  if (!algorithm || !credentialText || !timestamp || !signature || !names || !expires) {
    return fail(`Query-string authentication version 4 requires the ${requiredParameters} parameters.`)
  }
  if (algorithm !== ALGORITHM) {
    return fail('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
  }
  const credential = parseCredential(credentialText, 'query', endpoint)
  if ('ok' in credential) return credential
  const timeMs = parseAmzDate(timestamp)
  if (timeMs === undefined) {
    return fail(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
  }
  const day = timestamp.slice(0, 8)
  if (day !== credential.scope.date) {
    return fail(
      `Invalid credential date "${credential.scope.date}". This date is not the same as X-Amz-Date: "${day}".`,
    )
  }
  if (!/^[+-]?\d{1,15}$/.test(expires)) return fail('X-Amz-Expires should be a number')
  const expiresSeconds = Number(expires)
  if (expiresSeconds < 0) return fail('X-Amz-Expires must be non-negative')
  if (expiresSeconds > PRESIGNED_SECONDS_MAX) {
    return fail(
      `X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than ${PRESIGNED_SECONDS_MAX} seconds`,
    )
  }
  const payloadHash =
    headerValue(request.headers, 'x-amz-content-sha256') ?? get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD'
  const payload = parsePayloadMode(payloadHash)
  if ('ok' in payload) return payload
  const securityToken = get('X-Amz-Security-Token')
  return {
    ok: true,
    kind: 'signed',
    mechanism: 'query',
    ...credential,
    timestamp,
    timeMs,
    signedHeaders: signedNames(names),
    signature,
    expiresSeconds,
    ...(securityToken === undefined ? {} : { securityToken }),
    payload,
    payloadHash,
    parameters: all.filter(({ name }) => name.toLowerCase() !== 'x-amz-signature'),
  }
}
