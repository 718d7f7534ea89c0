import { toBinary } from '@bufbuild/protobuf'
import {
  METADATA_CLIENT_REQUESTS_MAX,
  METADATA_MESSAGE_BYTES_MAX,
  METADATA_REQUEST_TIMEOUT_MS,
} from '../../core/limits.ts'
import { FailureCode, type Reply, RequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  MetadataError,
  type MetadataOperation,
  type MetadataReply,
  type MetadataRequestInit,
} from '../../proto/metadata-api.ts'
import type { Clock } from '../ports/clock.ts'
import type { Begun, MemberConnection } from './connection.ts'
import { UnreachedError } from './failure.ts'
import { Link, type LinkEvents, type LinkOptions } from './link.ts'
import { isRepeatable } from './locate.ts'
import { fromReply, toRequest } from './messages.ts'

export interface GrpcMetadataOptions extends LinkOptions {
  /** Time in which a call is answered or fails, reconnecting included. Default METADATA_REQUEST_TIMEOUT_MS. */
  readonly timeoutMs?: number
}

interface Pending {
  readonly id: number
  readonly repeatable: boolean
  readonly message: Uint8Array
  /** Went out on the present stream; the service may be working on it. */
  sent: boolean
  answer(reply: Reply): void
  fail(error: Error): void
}

/** Ids are 32 bits wide and start again; so many calls later, an id is free again or held by a call in flight. */
const ID_MAX = 2 ** 32 - 1

/**
 * One metadata process behind gRPC: one stream, many requests in flight. While the process is away, requests that were
 * not sent wait for it within their time, unless they are taken back. What was sent and not answered when the stream broke
 * is sent again if it may be done twice, and otherwise fails as UNAVAILABLE: its outcome is unknown.
 */
export class GrpcMetadata implements MemberConnection, LinkEvents {
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

  /** @throws {UnreachedError} where the service did not answer; {MetadataError} what it answered */
  async call<K extends MetadataOperation>(
    operation: K,
    init: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Promise<MetadataReply<K>> {
    return await this.begin(operation, init, signal).reply
  }

  /** @throws as {@link call}, for what is not even begun */
  begin<K extends MetadataOperation>(
    operation: K,
    init: MetadataRequestInit<K>,
    signal?: AbortSignal,
  ): Begun<K> {
    signal?.throwIfAborted()
    if (this.#closed) {
      throw new UnreachedError('this client of metadata is closed', { sent: false, final: true })
    }
    if (this.#pending.size >= METADATA_CLIENT_REQUESTS_MAX) {
      const message = 'too many metadata requests are waiting; this one was not sent'
      throw new UnreachedError(message, { sent: false, final: true })
    }
    const request = toRequest(operation, init)
    request.id = this.#newId()
    const message = toBinary(RequestSchema, request)
    if (message.length > METADATA_MESSAGE_BYTES_MAX / 2) {
      throw new MetadataError(FailureCode.INVALID_REQUEST, 'the request is too large for one message')
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const pending: Pending = {
      id: request.id,
      repeatable: isRepeatable(operation),
      message,
      sent: false,
      answer: resolve,
      fail: reject,
    }
    this.#pending.set(pending.id, pending)
    if (this.#link.open) this.#send(pending)
    else this.#link.want()
    return {
      reply: this.#exchange(operation, pending, promise, signal),
      get sent() {
        return pending.sent
      },
      takeBack: (why) => {
        this.#pending.delete(pending.id)
        this.#fail(pending, `the request was taken back: ${why}`)
      },
    }
  }

  /** Fails what is in flight and closes the connection. */
  async close(): Promise<void> {
    this.#closed = true
    this.#link.close()
    for (const pending of this.#pending.values()) {
      this.#fail(pending, 'this client of metadata was closed', true)
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
      if (pending.sent && !pending.repeatable) {
        this.#fail(pending, `the connection to metadata was lost (${reason})`)
      }
      pending.sent = false
    }
    if (this.#pending.size > 0) this.#link.want()
  }

  refused(reason: string): void {
    for (const pending of this.#pending.values()) {
      pending.sent = false
      this.#fail(pending, `the metadata service refused this process: ${reason}`, true)
    }
  }

  async #exchange<K extends MetadataOperation>(
    operation: K,
    pending: Pending,
    replied: Promise<Reply>,
    signal: AbortSignal | undefined,
  ): Promise<MetadataReply<K>> {
    const cancelTimeout = this.#clock.after(this.#timeoutMs, () => {
      const state = pending.sent ? 'did not answer' : 'is not reached'
      const unknown = pending.sent && !pending.repeatable ? UNKNOWN : ''
      const message = `the metadata service ${state}${unknown} within ${this.#timeoutMs} ms`
      pending.fail(new UnreachedError(message, { sent: pending.sent }))
    })
    const onAbort = (): void => {
      pending.fail(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return fromReply(operation, await replied)
    } finally {
      this.#pending.delete(pending.id)
      cancelTimeout()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #fail(pending: Pending, message: string, final = false): void {
    const { sent } = pending
    pending.fail(new UnreachedError(`${message}${sent ? UNKNOWN : ''}`, { sent, final }))
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
