import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  status,
  type StatusObject,
} from '@grpc/grpc-js'
import {
  METADATA_OPEN_TIMEOUT_MS,
  METADATA_RECONNECT_MAX_MS,
  METADATA_RECONNECT_MIN_MS,
} from '../../core/limits.ts'
import type { Reply, ReplyBatch } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { afterAwake } from '../clock/after-awake.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { NextTurn } from '../ports/next-turn.ts'
import type { Random } from '../ports/random.ts'
import { createClusterToken } from '../rpc/cluster-token.ts'
import { BatchSender } from './batch-sender.ts'
import { channelOptions, sessionMethod } from './wire.ts'

export interface LinkOptions {
  /** `host:port` of the metadata service. */
  readonly address: string
  /** The cluster's secret. */
  readonly secret: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly nextTurn: NextTurn
}

/** What a link tells its client. */
export interface LinkEvents {
  /** The service took the stream: requests may be sent. */
  opened(): void
  received(reply: Reply): void
  /** The stream is gone, with all that was sent and not answered. */
  lost(reason: string): void
  /** The service does not take this caller. */
  refused(reason: string): void
}

/** Channels share their connections to one address where they may: one that leads nowhere would come back. */
const ownChannelOptions = { ...channelOptions, 'grpc.use_local_subchannel_pool': 1 }

interface Stream {
  readonly client: Client
  readonly call: ClientDuplexStream<Uint8Array, ReplyBatch>
  readonly sender: BatchSender
}

/** One stream to the metadata service, opened when wanted and again, after a pause, when it broke. */
export class Link {
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #closing = new AbortController()
  /** For the next attempt. */
  #client: Client | undefined
  #stream: Stream | undefined
  #opened = false
  #failures = 0
  #pausing = false

  /** @throws {Error} what is no address */
  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options
    this.#events = events
    this.#client = clientOf(options.address)
  }

  get open(): boolean {
    return this.#opened
  }

  /** Opens the stream, at once or when the pause after a failure is over. */
  want(): void {
    if (this.#stream !== undefined || this.#pausing || this.#closing.signal.aborted) return
    if (this.#failures === 0) this.#connect()
    else void this.#connectLater()
  }

  /** Only while {@link open}. */
  send(message: Uint8Array): void {
    this.#stream?.sender.push(message)
  }

  close(): void {
    this.#closing.abort(new Error('closed'))
    this.#opened = false
    this.#stream?.call.cancel()
    this.#stream?.client.close()
    this.#client?.close()
  }

  async #connectLater(): Promise<void> {
    const { clock, random } = this.#options
    const pause = Math.min(METADATA_RECONNECT_MAX_MS, METADATA_RECONNECT_MIN_MS * 2 ** (this.#failures - 1))
    // Half of it is random, so that the gateways do not all come back in one instant.
    const jitter = (random.bytes(1)[0] ?? 0) / 255
    this.#pausing = true
    try {
      await clock.sleep(pause * (0.5 + jitter / 2), this.#closing.signal)
    } catch {
      return
    } finally {
      this.#pausing = false
    }
    this.#connect()
  }

  #connect(): void {
    const { secret, clock, random, nextTurn, log, address } = this.#options
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${createClusterToken(secret, clock, random)}`)
    const { path, requestSerialize, responseDeserialize } = sessionMethod
    // One for each attempt: a channel looks names up every 30 s at most, and goes on with a connection that it has begun.
    const client = this.#client ?? clientOf(address)
    this.#client = undefined
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata)
    const stream = { client, call, sender: new BatchSender((batch) => call.write(batch), nextTurn) }
    this.#stream = stream
    let late = false
    const stop = afterAwake(clock, METADATA_OPEN_TIMEOUT_MS, () => {
      late = true
      call.cancel()
    })
    call.on('metadata', () => {
      stop()
      this.#opened = true
      if (this.#failures > 0) log.info('metadata is reached again', { address })
      this.#failures = 0
      this.#events.opened()
    })
    call.on('data', (batch: ReplyBatch) => {
      for (const reply of batch.replies) this.#events.received(reply)
    })
    call.on('drain', () => {
      stream.sender.drained()
    })
    // Every end, good or bad, comes as a status; an error that nobody listens to would end the process.
    call.on('error', () => undefined)
    call.on('status', (ended) => {
      stop()
      client.close()
      this.#ended(late ? { ...ended, details: `nothing in ${METADATA_OPEN_TIMEOUT_MS} ms` } : ended)
    })
  }

  #ended({ code, details }: StatusObject): void {
    this.#stream = undefined
    this.#opened = false
    if (this.#closing.signal.aborted) return
    this.#failures++
    if (this.#failures === 1) {
      this.#options.log.warn('the connection to metadata is gone', {
        address: this.#options.address,
        details,
      })
    }
    if (code === status.UNAUTHENTICATED) this.#events.refused(details)
    else this.#events.lost(details === '' ? 'the service ended the stream' : details)
  }
}

function clientOf(address: string): Client {
  return new Client(address, credentials.createInsecure(), ownChannelOptions)
}
