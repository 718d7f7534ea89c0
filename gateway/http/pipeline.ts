/**
 * The fixed pipeline of every request:
 * identify → route → authenticate → parse → authorize → handle → serialise → record.
 * A CORS preflight is answered as soon as it is identified; see cross-origin.ts.
 *
 * Whatever any stage throws becomes one answer. The body is not touched before the caller is authenticated and authorized,
 * so a refused client that asked `Expect: 100-continue` never sends it.
 */
import {
  DOCUMENT_BYTES_MAX,
  DOCUMENTS_BYTES_MAX,
  SINGLE_PUT_BYTES_MAX,
  XML_BODY_BYTES_MAX,
  XML_DEPTH_MAX,
  XML_NODES_MAX,
} from '../../core/limits.ts'
import type { SigningDigests } from '../../core/signing/digests.ts'
import { headerValues, type HeaderFields } from '../../core/signing/request.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Account } from '../accounts/account.ts'
import type { Authenticator } from '../authenticate/authenticate.ts'
import { collectBody } from '../body/collect.ts'
import { DocumentMemory } from '../body/document-memory.ts'
import { openBody } from '../body/verified-body.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { OperationRow, RequestContext } from '../operations/operation.ts'
import { readOperation } from '../schema/model.ts'
import { s3Operations } from '../schema/operations.ts'
import { compileRequestParser, type InputFields, type RequestParser } from '../schema/request-parser.ts'
import { compileResponseWriter, type ResponseWriter } from '../schema/response-writer.ts'
import { postObject as formUpload } from '../post-object/post-object.ts'
import { compileRouter, notImplemented, postObject } from '../schema/router.ts'
import { formatHttpDate } from '../schema/values.ts'
import { answerPreflight, crossOriginHeaders, type CorsLookup } from './cross-origin.ts'
import { errorResponse, toS3Error } from './error-response.ts'
import type { Answer, IncomingRequest, OutgoingResponse } from './exchange.ts'
import type { Identity } from './identity.ts'
import { defaultKeepAlive, keepAlive, type KeepAliveTimes } from './keep-alive.ts'
import type { Authorize, Recorder, Sender } from './ports.ts'
import { headersOfQuery, withHeadersOfQuery } from './query-headers.ts'
import { parseTarget, type Target } from './target.ts'

export interface PipelineOptions {
  readonly operations: readonly OperationRow[]
  readonly authenticate: Authenticator<Account>
  /** For the signatures and digests of bodies. */
  readonly digests: SigningDigests
  readonly authorize: Authorize
  /** CORS configurations, asked for only when a request names its origin. */
  readonly cors: CorsLookup
  readonly clock: Clock
  readonly identity: Identity
  readonly log: Log
  readonly recorders: readonly Recorder[]
  /** Host names served virtual-host style: `bucket.<domain>`. */
  readonly domains: readonly string[]
  readonly region: string
  /** When long operations begin to answer; core/limits.ts unless it says otherwise. */
  readonly keepAlive?: KeepAliveTimes
}

/** Answers one request; never rejects. */
export type Pipeline = (request: IncomingRequest) => Promise<Answer>

interface CompiledOperation {
  readonly row: OperationRow
  readonly parser: RequestParser
  readonly write: ResponseWriter
}

/** An operation and what it is asked of. */
interface Call {
  readonly name: string
  readonly target: Target
  readonly headers: ReadonlyMap<string, string>
  readonly sender: Sender
}

/** What is known of a request so far, for the answer and the record. */
interface Progress {
  readonly requestId: string
  readonly timeMs: number
  readonly startedMs: number
  host: string | undefined
  target: Target | undefined
  operation: string | undefined
  sender: Sender | undefined
  errorCode: string | undefined
  /** What a page of another origin needs in the answer; read while the request is handled. Never rejects. */
  crossOrigin: Promise<ReadonlyMap<string, string>> | undefined
}

/**
 * Answers about a bucket as a whole say where it is, refusals too: SDKs find a bucket's Region by them. Not documented but
 * for HeadBucket; recorded answers of AWS in localstack's `test_region_header_exists_outside_us_east_1`.
 */
function namesRegion(operation: string | undefined, status: number): boolean {
  return status !== 404 && operation !== undefined && aboutBuckets.has(operation)
}

const aboutBuckets: ReadonlySet<string> = new Set(['HeadBucket', 'ListObjects', 'ListObjectsV2'])

const xmlLimits = { bytesMax: XML_BODY_BYTES_MAX, depthMax: XML_DEPTH_MAX, nodesMax: XML_NODES_MAX }

export function createPipeline(options: PipelineOptions): Pipeline {
  const { clock, log, region, authenticate, authorize, recorders } = options
  const compiled = compileOperations(options.operations)
  const route = compileRouter(s3Operations.values())
  const { nextRequestId, hostId } = options.identity
  const documents = new DocumentMemory(DOCUMENTS_BYTES_MAX)
  // Longest first, so that of two domains one of which ends with the other the nearer one wins.
  const domains = options.domains.map((name) => name.toLowerCase()).toSorted((a, b) => b.length - a.length)

  async function respond(request: IncomingRequest, progress: Progress): Promise<OutgoingResponse> {
    // Identify
    const headers = flatten(request.headers)
    progress.host = hostOf(request)
    const target = (progress.target = parseTarget(request.target, progress.host, domains))
    const { method } = request
    if (method === 'OPTIONS') {
      progress.operation = 'Preflight'
      return await answerPreflight(target, headers, options.cors, request.signal)
    }
    if (headers.has('origin')) {
      const observer = { signal: request.signal, log: log.child({ requestId: progress.requestId }) }
      progress.crossOrigin = crossOriginHeaders(method, target.bucket, headers, options.cors, observer)
    }
    // Route
    const fromQuery = headersOfQuery(target.query)
    const routed = route({ ...target, method, header: (name) => headers.get(name) ?? fromQuery.get(name) })
    progress.operation = routed.name
    // Authenticate
    const signable = { method, rawPath: target.rawPath, rawQuery: target.rawQuery, headers: request.headers }
    const sender = (progress.sender = await authenticate(signable))
    if (routed === postObject) return await takeForm(request, progress, target, sender)
    const call = { name: routed.name, target, headers: withHeadersOfQuery(headers, fromQuery), sender }
    return await perform(call, request, progress, (operation, input) =>
      takeBody(operation, input, request.headers, sender, options.digests, request.body, documents),
    )
  }

  /** The stages from parsing on. */
  async function perform(
    { name, target, headers, sender }: Call,
    request: IncomingRequest,
    progress: Progress,
    take: (operation: CompiledOperation, input: InputFields) => Promise<void>,
  ): Promise<OutgoingResponse> {
    // After authentication, so that the holder of a wrong secret learns only that.
    const operation = compiled.get(name)
    if (!operation) throw notImplemented(progress.operation ?? name)
    // Parse
    const { row, parser, write } = operation
    const { bucket, key } = target
    const input = parser.parseHead({ bucket, key, query: target.query, headers })
    // Authorize
    const { signal } = request
    const access = await authorize({
      sender,
      operation: name,
      action: row.action,
      bucket,
      key,
      input,
      signal,
    })
    // Handle
    if (parser.payload !== 'none') await take(operation, input)
    const known = row.keepAlive === true ? new Map<string, string>() : undefined
    const context: RequestContext = {
      requestId: progress.requestId,
      sender,
      access,
      region,
      nowMs: progress.timeMs,
      signal,
      log: log.child({ requestId: progress.requestId, operation: name }),
      resourceUrl: `${originOf(request, progress)}${target.rawPath}`,
      announce(output) {
        for (const [header, value] of write(output).headers) known?.set(header, value)
      },
    }
    if (known === undefined) return write(await row.handle(input, context))
    return await keepAlive(
      row
        .handle(input, context)
        .then(write)
        .catch((thrown: unknown) => refuse(thrown, request, progress)),
      known,
      clock,
      options.keepAlive ?? defaultKeepAlive,
    )
  }

  /** A browser's form: its head is read from the body, and then it is a PutObject. */
  async function takeForm(
    request: IncomingRequest,
    progress: Progress,
    target: Target,
    headSender: Sender,
  ): Promise<OutgoingResponse> {
    const { headers, body } = request
    const { bucket = '', rawPath } = target
    const bucketUrl = `${originOf(request, progress)}${rawPath.endsWith('/') ? rawPath : `${rawPath}/`}`
    const form = { headers, bucket, body, headSender, nowMs: progress.timeMs, bucketUrl }
    return await formUpload(form, {
      authenticate: async (fields) => (progress.sender = await authenticate.form(fields)),
      put: (put) => {
        const object = { ...target, key: put.key, query: new Map<string, string>() }
        progress.target = object
        const call = { name: 'PutObject', target: object, headers: flatten(put.headers), sender: put.sender }
        return perform(call, request, progress, async ({ row, parser }, input) => {
          if (parser.streamMember === undefined) throw new Error('PutObject takes no stream')
          input[parser.streamMember] = openBody(put.file, {
            ...row.body,
            headers: put.headers,
            payload: put.sender.payload,
            digests: options.digests,
            maxBytes: Number.MAX_SAFE_INTEGER,
            sizeIsBound: true,
          })
        })
      },
    })
  }

  function refuse(thrown: unknown, request: IncomingRequest, progress: Progress): OutgoingResponse {
    const error = toS3Error(thrown)
    progress.errorCode = error.code
    if (error !== thrown && !request.signal.aborted) {
      log.error('request failed', {
        requestId: progress.requestId,
        operation: progress.operation,
        error: thrown,
      })
    }
    return errorResponse(error, {
      requestId: progress.requestId,
      hostId,
      method: request.method,
      bucket: progress.target?.bucket,
      key: progress.target?.key,
    })
  }

  function record(
    request: IncomingRequest,
    progress: Progress,
    response: OutgoingResponse,
  ): Answer['delivered'] {
    return ({ bytesSent, complete }) => {
      const { target, sender } = progress
      for (const take of recorders) {
        take({
          requestId: progress.requestId,
          timeMs: progress.timeMs,
          method: request.method,
          operation: progress.operation,
          bucket: target?.bucket,
          key: target?.key,
          sender: sender?.kind === 'signed' ? sender.accessKey : 'anonymous',
          status: response.status,
          errorCode: progress.errorCode,
          bytesReceived: request.bytesReceived(),
          bytesSent,
          complete,
          durationMs: clock.monotonicMs() - progress.startedMs,
          remoteAddress: request.remoteAddress,
          userAgent: headerValues(request.headers, 'user-agent')[0],
        })
      }
    }
  }

  return async (request) => {
    const progress: Progress = {
      requestId: nextRequestId(),
      timeMs: clock.nowMs(),
      startedMs: clock.monotonicMs(),
      host: undefined,
      target: undefined,
      operation: undefined,
      sender: undefined,
      errorCode: undefined,
      crossOrigin: undefined,
    }
    let response: OutgoingResponse
    try {
      response = await respond(request, progress)
    } catch (thrown) {
      response = refuse(thrown, request, progress)
    }
    const headers = new Map(response.headers)
    if (progress.crossOrigin !== undefined) {
      for (const [name, value] of await progress.crossOrigin) headers.set(name, value)
    }
    if (namesRegion(progress.operation, response.status)) headers.set('x-amz-bucket-region', region)
    headers.set('x-amz-request-id', progress.requestId)
    headers.set('x-amz-id-2', hostId)
    headers.set('date', formatHttpDate(new Date(progress.timeMs)))
    headers.set('server', 'Ashlar')
    return { response: { ...response, headers }, delivered: record(request, progress, response) }
  }
}

function compileOperations(rows: readonly OperationRow[]): ReadonlyMap<string, CompiledOperation> {
  const compiled = new Map<string, CompiledOperation>()
  for (const row of rows) {
    const shape = readOperation(row.schema)
    if (compiled.has(shape.name)) throw new Error(`two rows for ${shape.name}`)
    const parser = compileRequestParser(shape, xmlLimits)
    compiled.set(shape.name, { row, parser, write: compileResponseWriter(shape) })
  }
  return compiled
}

function flatten(fields: IncomingRequest['headers']): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (const [name, values] of Object.entries(fields)) if (values) headers.set(name, values.join(', '))
  return headers
}

function originOf(request: IncomingRequest, { host = '' }: Progress): string {
  return `${request.secure ? 'https' : 'http'}://${host}`
}

/** RFC 9112 §3.2: a request without exactly one Host is bad. HTTP/1.0 clients must send it too, since it is signed. */
function hostOf(request: IncomingRequest): string {
  const hosts = headerValues(request.headers, 'host')
  const [host] = hosts
  if (hosts.length !== 1 || host === undefined || !/^[A-Za-z0-9._:[\]-]*$/.test(host)) {
    throw new S3Error('InvalidRequest', { message: 'The request must have one valid Host header.' })
  }
  return host
}

async function takeBody(
  { row, parser }: CompiledOperation,
  input: InputFields,
  headers: HeaderFields,
  sender: Sender,
  digests: SigningDigests,
  source: AsyncIterable<Uint8Array>,
  documents: DocumentMemory,
): Promise<void> {
  const isStream = parser.streamMember !== undefined
  const body = openBody(source, {
    ...row.body,
    headers: isStream ? headers : withLength(headers),
    payload: sender.payload,
    ...(sender.kind === 'signed' && sender.chunkSigning ? { chunkSigning: sender.chunkSigning } : {}),
    digests,
    maxBytes: row.body.maxBytes ?? SINGLE_PUT_BYTES_MAX,
  })
  if (isStream) {
    input[parser.streamMember] = body
    // The header counts the framing of aws-chunked too; the object is what comes out.
    if (input['ContentLength'] !== undefined) input['ContentLength'] = body.size
  } else {
    const lease = documents.lease()
    try {
      const bytesMax = row.body.documentBytesMax ?? DOCUMENT_BYTES_MAX
      parser.parseDocument(input, await collectBody(body, bytesMax, lease))
    } catch (error) {
      const { malformed } = row.body
      if (malformed === undefined || !(error instanceof S3Error) || error.code !== 'MalformedXML') throw error
      throw new S3Error(malformed)
    } finally {
      lease.release()
    }
  }
}

/** Without a length and without chunks there is no body (RFC 9112 §6.3), which a document, unlike an object, may lack. */
function withLength(headers: HeaderFields): HeaderFields {
  const framed = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return framed ? headers : { ...headers, 'content-length': ['0'] }
}
