/** What the pipeline asks of others: who calls, whether they may, and where records go. */
import type { SignableRequest } from '../../core/signing/request.ts'

/** Who makes a request. */
export type Principal =
  | { readonly kind: 'anonymous' }
  /** The cluster's own credentials, which may do everything. */
  | { readonly kind: 'root'; readonly accessKey: string }

/**
 * A request's body, unframed and checked: it ends normally only when its length, signature and checksums were all right,
 * else it throws an `S3Error`. Iterated at most once.
 */
export interface RequestBody extends AsyncIterable<Uint8Array> {
  /** Bytes it will yield, known beforehand. */
  readonly size: number
  /** Checksums of the whole, base64 by lower-case algorithm (`crc64nvme`, `md5`, …); complete when the body has ended. */
  readonly checksums: ReadonlyMap<string, string>
}

export interface Authenticated {
  readonly principal: Principal
  /**
   * Wraps the raw bytes of the request into its checked body. Throws `S3Error` for what is wrong before the first byte,
   * such as `MissingContentLength`; called only when an operation takes a body.
   */
  openBody(source: AsyncIterable<Uint8Array>): RequestBody
}

/** Verifies who calls; throws `S3Error` (`SignatureDoesNotMatch`, `InvalidAccessKeyId`, …). No signature: anonymous. */
export type Authenticate = (request: SignableRequest, nowMs: number) => Promise<Authenticated>

export interface AuthorizationRequest {
  readonly principal: Principal
  /** The policy action, e.g. `s3:PutObject`. */
  readonly action: string
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** Throws `S3Error` (`AccessDenied`) when the principal may not. */
export type Authorize = (request: AuthorizationRequest) => Promise<void>

/** One request in the access log and the metrics. */
export interface AccessRecord {
  readonly requestId: string
  /** Unix milliseconds of its arrival. */
  readonly timeMs: number
  readonly method: string
  /** Undefined when routing failed. */
  readonly operation: string | undefined
  readonly bucket: string | undefined
  readonly key: string | undefined
  readonly principal: string
  readonly status: number
  readonly errorCode: string | undefined
  /** Body bytes taken from the client, framing included. */
  readonly bytesReceived: number
  /** Body bytes handed to the socket. */
  readonly bytesSent: number
  /** False when the client left or the body failed midway. */
  readonly complete: boolean
  readonly durationMs: number
  readonly remoteAddress: string
  readonly userAgent: string | undefined
}

/** Takes a finished request; must not throw and must not wait. */
export type Recorder = (record: AccessRecord) => void
