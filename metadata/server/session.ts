import { create, toBinary } from '@bufbuild/protobuf'
import { type ServerDuplexStream, Metadata } from '@grpc/grpc-js'
import { METADATA_STREAM_IN_FLIGHT_MAX } from '../../core/limits.ts'
import {
  FailureCode,
  type Reply,
  ReplySchema,
  type Request,
  type RequestBatch,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BatchSender } from '../../runtime/metadata-client/batch-sender.ts'
import type { RequestHandler } from '../../runtime/metadata-client/in-process.ts'
import type { NextTurn } from '../../runtime/ports/next-turn.ts'

export type SessionCall = ServerDuplexStream<RequestBatch, Uint8Array>

/**
 * One gateway's stream. Requests are answered as they get done, replies of one turn in one batch; while too many are
 * in flight, answered but not taken by the stream included, no more are read.
 */
export class Session {
  readonly #call: SessionCall
  readonly #handler: RequestHandler
  readonly #sender: BatchSender
  readonly #ended = Promise.withResolvers<undefined>()
  #working = 0
  #unsent = 0
  #closing = false
  #gone = false

  constructor(call: SessionCall, handler: RequestHandler, nextTurn: NextTurn) {
    this.#call = call
    this.#handler = handler
    this.#sender = new BatchSender((batch) => this.#write(batch), nextTurn)
    call.on('data', (batch: RequestBatch) => {
      for (const request of batch.requests) void this.#answer(request)
      if (this.#working + this.#unsent >= METADATA_STREAM_IN_FLIGHT_MAX) call.pause()
    })
    call.on('drain', () => {
      this.#sender.drained()
    })
    call.on('end', () => {
      this.close()
    })
    for (const event of ['cancelled', 'error', 'close']) {
      call.on(event, () => {
        this.#gone = true
        this.#ended.resolve(undefined)
      })
    }
    // Tells the client that the stream is open: until then it keeps its requests, and knows them unsent.
    call.sendMetadata(new Metadata())
  }

  /** Resolves when the stream is over. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Reads no more, answers what it has read, and ends the stream. */
  close(): void {
    this.#closing = true
    this.#call.pause()
    this.#endWhenDone()
  }

  async #answer(request: Request): Promise<void> {
    this.#working++
    const reply = encode(await this.#handler.handle(request))
    this.#working--
    if (this.#gone) return
    this.#unsent++
    this.#sender.push(reply)
  }

  #write(batch: Uint8Array): boolean {
    if (this.#gone) return true
    const more = this.#call.write(batch)
    // What the sender has left is still unsent; all of it goes into the next batches.
    this.#unsent = 0
    if (!this.#closing && this.#working < METADATA_STREAM_IN_FLIGHT_MAX / 2) this.#call.resume()
    queueMicrotask(() => {
      this.#endWhenDone()
    })
    return more
  }

  #endWhenDone(): void {
    if (!this.#closing || this.#gone || this.#working > 0 || !this.#sender.empty) return
    this.#gone = true
    this.#call.end()
    this.#ended.resolve(undefined)
  }
}

function encode(reply: Reply): Uint8Array {
  try {
    return toBinary(ReplySchema, reply)
  } catch {
    const value = { code: FailureCode.INTERNAL, message: 'the reply cannot be encoded' }
    return toBinary(ReplySchema, create(ReplySchema, { id: reply.id, result: { case: 'failure', value } }))
  }
}
