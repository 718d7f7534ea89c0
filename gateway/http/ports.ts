/** What the pipeline asks of others: whether a sender may, and where records go. */
import type { Account } from '../accounts/account.ts'
import type { Authentication } from '../authenticate/authenticate.ts'
import type { Access } from '../authorize/access.ts'
import type { InputFields } from '../schema/request-parser.ts'

/** Who sent a request: nobody known, or an account by one of its access keys. */
export type Sender = Authentication<Account>

export interface AuthorizationRequest {
  readonly sender: Sender
  /** S3's name of it, e.g. `CopyObject`. */
  readonly operation: string
  /** The policy action, e.g. `s3:PutObject`. */
  readonly action: string
  readonly bucket: string | undefined
  readonly key: string | undefined
  /** What the head of the request says; documents are not read yet. */
  readonly input: InputFields
  readonly signal: AbortSignal
}

/**
 * Throws `S3Error` (`AccessDenied` …) when the sender may not; the result decides what only the handler can ask. Answers at
 * once where nothing has to be looked up.
 */
export type Authorize = (request: AuthorizationRequest) => Access | Promise<Access>

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
  /** Access key of the sender, or `anonymous`. */
  readonly sender: string
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
