/** A request and its answer as the pipeline sees them: no sockets, so that it runs over simulated ones as well. */
import type { HeaderFields } from '../../core/signing/request.ts'
import type { BodyStream } from '../schema/response-writer.ts'

export interface IncomingRequest {
  /** As sent, e.g. `GET`. */
  readonly method: string
  /** The request target as sent: `/bucket/key?query`, undecoded, one character a byte. */
  readonly target: string
  readonly headers: HeaderFields
  /** True when it came over TLS. */
  readonly secure: boolean
  /** The peer's address, for the access log. */
  readonly remoteAddress: string
  /**
   * The bytes after the head, unframed by HTTP alone; iterated at most once. The first pull answers `Expect:
   * 100-continue`. Throws S3's `IncompleteBody` when the client stops short, `RequestTimeout` when it falls silent.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Bytes of `body` taken so far. */
  readonly bytesReceived: () => number
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
}

export interface OutgoingResponse {
  readonly status: number
  /** Lower-case names; all but the framing, which the server adds. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array | BodyStream | OpenStream | undefined
}

/** A body whose length nobody knows yet: sent in chunks. */
export interface OpenStream {
  readonly size: undefined
  readonly stream: AsyncIterable<Uint8Array>
}

/** What became of the response. */
export interface Delivery {
  /** Body bytes handed to the socket. */
  readonly bytesSent: number
  /** False when the client left or the body failed midway. */
  readonly complete: boolean
}

export interface Answer {
  readonly response: OutgoingResponse
  /** To be called once, after the response was sent or given up: ends the record stage. */
  readonly delivered: (delivery: Delivery) => void
}
