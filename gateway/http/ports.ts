/** What the pipeline asks of others: whether a sender may, and where records go. */
import type { Authentication } from '../authenticate/authenticate.ts'

/** Whose credentials signed a request. There is one account so far: the cluster's own, which may do everything. */
export interface Account {
  readonly kind: 'root'
  /** Canonical id, as `Owner.ID` in listings. */
  readonly id: string
  readonly displayName: string
}

/** Who sent a request: nobody known, or an account by one of its access keys. */
export type Sender = Authentication<Account>

export interface AuthorizationRequest {
  readonly sender: Sender
  /** The policy action, e.g. `s3:PutObject`. */
  readonly action: string
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** Throws `S3Error` (`AccessDenied`) when the sender may not. */
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
