/**
 * The stage for requests of pages of another origin: the answer to a preflight, and the headers of every other answer.
 *
 * A preflight needs no signature and is answered before anything else of the request is looked at. What S3 says of one
 * that it refuses is known from recorded answers of AWS (localstack's `test_s3_cors.snapshot.json`): without a
 * configuration the document names the resource BUCKET, whatever the path; with one, what the path names.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html
 */
import type { Log } from '../../runtime/ports/log.ts'
import { S3Error } from '../errors/s3-error.ts'
import {
  corsHeaders,
  findCorsRule,
  isHeaderName,
  splitHeaderNames,
  type CorsPolicyRule,
  type CrossOriginRequest,
} from '../rules/cors.ts'
import type { OutgoingResponse } from './exchange.ts'
import type { Target } from './target.ts'

export interface BucketCors {
  readonly bucketExists: boolean
  /** Undefined when the bucket has no CORS configuration. */
  readonly rules: readonly CorsPolicyRule[] | undefined
}

/** Where configurations come from. Rejects with an S3Error when the cluster cannot say. */
export type CorsLookup = (bucket: string, signal: AbortSignal) => Promise<BucketCors>

/** Lower-case name → value. */
type Headers = ReadonlyMap<string, string>

/** Methods a preflight may ask about, though a rule can allow only five of them. Measured on AWS by others, 2026. */
const askable: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])

/**
 * Answers an OPTIONS request.
 * @throws {S3Error} BadRequest for one that asks nothing; AccessForbidden when no rule allows what it asks for
 */
export async function answerPreflight(
  { bucket, key }: Pick<Target, 'bucket' | 'key'>,
  headers: Headers,
  lookup: CorsLookup,
  signal: AbortSignal,
): Promise<OutgoingResponse> {
  const origin = headers.get('origin')
  if (origin === undefined || origin === '') {
    throw badRequest('Insufficient information. Origin request header needed.')
  }
  const method = headers.get('access-control-request-method')
  if (method !== undefined && !askable.has(method)) throw invalidMethod(method)
  const names = splitHeaderNames(headers.get('access-control-request-headers'))
  const unnamable = names.find((name) => !isHeaderName(name))
  if (unnamable !== undefined) {
    throw badRequest(`Access-Control-Request-Headers "${unnamable}" contains invalid character.`)
  }
  const { bucketExists, rules } =
    bucket === undefined ? { bucketExists: false, rules: undefined } : await lookup(bucket, signal)
  const asked = method ?? 'OPTIONS'
  if (!bucketExists) throw forbidden('Bucket not found', asked, 'BUCKET')
  if (rules === undefined) throw forbidden('CORS is not enabled for this bucket.', asked, 'BUCKET')
  // Only now: AWS looks for the configuration first.
  if (method === undefined) throw invalidMethod('null')
  const request: CrossOriginRequest = { origin, method, headers: names }
  const rule = findCorsRule(rules, request)
  if (rule === undefined) throw forbidden(NOT_ALLOWED, method, key === undefined ? 'BUCKET' : 'OBJECT')
  return { status: 200, headers: corsHeaders(rule, request), body: undefined }
}

/** Spelled as AWS spells it. */
const NOT_ALLOWED =
  "This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."

/**
 * The headers that the answer to any other request gets, an error as well, so that the page may read it; none when the
 * request names no origin, or no rule allows it. A configuration that cannot be read is as none: the request itself is
 * what matters, and it will say what is wrong.
 */
export async function crossOriginHeaders(
  method: string,
  bucket: string | undefined,
  headers: Headers,
  lookup: CorsLookup,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Log },
): Promise<Headers> {
  const origin = headers.get('origin')
  if (origin === undefined || origin === '' || bucket === undefined) return none
  const request: CrossOriginRequest = {
    origin,
    method: headers.get('access-control-request-method') ?? method,
    headers: splitHeaderNames(headers.get('access-control-request-headers')),
  }
  if (!request.headers.every(isHeaderName)) return none
  try {
    const { rules } = await lookup(bucket, signal)
    const rule = rules && findCorsRule(rules, request)
    return rule === undefined ? none : corsHeaders(rule, request)
  } catch (error) {
    if (!signal.aborted) log.warn('no CORS configuration for an answer', { bucket, error })
    return none
  }
}

const none: Headers = new Map()

function badRequest(message: string): S3Error {
  return new S3Error('BadRequest', { message })
}

function invalidMethod(method: string): S3Error {
  return badRequest(`Invalid Access-Control-Request-Method: ${method}`)
}

function forbidden(message: string, method: string, resourceType: 'BUCKET' | 'OBJECT'): S3Error {
  return new S3Error('AccessForbidden', {
    message: `CORSResponse: ${message}`,
    fields: { Method: method, ResourceType: resourceType },
  })
}
