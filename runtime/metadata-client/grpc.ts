import { toBinary } from '@bufbuild/protobuf'
import {
  METADATA_CLIENT_REQUESTS_MAX,
  METADATA_MESSAGE_BYTES_MAX,
  METADATA_REQUEST_TIMEOUT_MS,
} from '../../core/limits.ts'
import { FailureCode, type Reply, RequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  type MetadataApi,
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { Clock } from '../ports/clock.ts'
import { fromReply, toRequest } from './messages.ts'
import { Link, type LinkEvents, type LinkOptions } from './link.ts'

export interface GrpcMetadataOptions extends LinkOptions {
  /** Time in which a call is answered or fails, reconnecting included. Default METADATA_REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

interface Pending {
  readonly id: number
  readonly operation: MetadataOperation
  readonly message: Uint8Array
  /** Went out on the present stream; the service may be working on it. */
  sent: boolean
  answer(reply: Reply): void
  fail(error: MetadataError): void
}

/** Operations that may be done twice: sent again when the stream broke before their answer. */
const REPEATABLE: ReadonlySet<MetadataOperation> = new Set<MetadataOperation>([
  'getBucket',
  'listBuckets',
  'getObject',
  'listObjects',
  'getManifest',
  'getUpload',
  'listParts',
  'listUploads',
  'getCluster',
  'heartbeat',
  'readOutbox',
  'acknowledgeOutbox',
  'resolveBlobs',
  'requestRepair',
  'keepLease',
  'getRisk',
])

/** Ids are 32 bits wide and start again; so many calls later, an id is free again or held by a call in flight. */
const ID_MAX = 2 ** 32 - 1

/**
 * The metadata service behind gRPC: one stream, many requests in flight. While the service is away, requests that were
 * not sent wait for it within their time. What was sent and not answered when the stream broke is sent again if it may
 * be done twice, and otherwise fails as UNAVAILABLE: its outcome is unknown.
 */
export class GrpcMetadata implements MetadataApi, LinkEvents {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #link: Link
  readonly #pending = new Map<number, Pending>()
  #lastId = 0
  #closed = false

  constructor(options: GrpcMetadataOptions) {
    this.#clock = options.clock
    this.#timeoutMs = options.timeoutMs ?? METADATA_REQUEST_TIMEOUT_MS
    this.#link = new Link(options, this)
  }

  async call<K extends MetadataOperation>(
    operation: K,
    init: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Promise<MetadataReply<K>> {
    signal?.throwIfAborted()
    if (this.#closed) throw unavailable('this client of metadata is closed')
    if (this.#pending.size >= METADATA_CLIENT_REQUESTS_MAX) {
      throw unavailable('too many metadata requests are waiting; this one was not sent')
    }
    const request = toRequest(operation, init)
    request.id = this.#newId()
    const message = toBinary(RequestSchema, request)
    if (message.length > METADATA_MESSAGE_BYTES_MAX / 2) {
      throw new MetadataError(FailureCode.INVALID_REQUEST, 'the request is too large for one message')
    }
    return fromReply(operation, await this.#exchange(request.id, operation, message, signal))
  }

  /** Fails what is in flight and closes the connection. */
  async close(): Promise<void> {
    this.#closed = true
    this.#link.close()
    for (const pending of this.#pending.values()) {
      pending.fail(unavailable(`this client of metadata was closed${pending.sent ? UNKNOWN : ''}`))
    }
  }

  opened(): void {
    for (const pending of this.#pending.values()) this.#send(pending)
  }

  received(reply: Reply): void {
    this.#pending.get(reply.id)?.answer(reply)
  }

  lost(reason: string): void {
    for (const pending of this.#pending.values()) {
      if (pending.sent && !REPEATABLE.has(pending.operation)) {
        pending.fail(unavailable(`the connection to metadata was lost (${reason})${UNKNOWN}`))
      }
      pending.sent = false
    }
    if (this.#pending.size > 0) this.#link.want()
  }

  refused(reason: string): void {
    for (const pending of this.#pending.values()) {
      pending.fail(unavailable(`the metadata service refused this process: ${reason}`))
    }
  }

  async #exchange(
    id: number,
    operation: MetadataOperation,
    message: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const pending: Pending = { id, operation, message, sent: false, answer: resolve, fail: reject }
    const cancelTimeout = this.#clock.after(this.#timeoutMs, () => {
      const state = pending.sent
        ? `did not answer${REPEATABLE.has(operation) ? '' : UNKNOWN}`
        : 'is not reached'
      reject(unavailable(`the metadata service ${state} within ${this.#timeoutMs} ms`))
    })
    const onAbort = (): void => {
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#pending.set(id, pending)
    if (this.#link.open) this.#send(pending)
    else this.#link.want()
    try {
      return await promise
    } finally {
      this.#pending.delete(id)
      cancelTimeout()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #send(pending: Pending): void {
    pending.sent = true
    this.#link.send(pending.message)
  }

  #newId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }
}

const UNKNOWN = ': the outcome is unknown'

function unavailable(message: string): MetadataError {
  return new MetadataError(FailureCode.UNAVAILABLE, message)
}
