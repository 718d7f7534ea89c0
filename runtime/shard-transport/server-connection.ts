import type { Socket } from 'node:net'
import {
  SHARD_BYTES_MAX,
  SHARD_CONNECTION_BYTES_MAX,
  SHARD_CONNECTION_REQUESTS_MAX,
  SHARD_CONTROL_BYTES_MAX,
  SHARD_HELLO_BYTES_MAX,
  SHARD_HELLO_TIMEOUT_MS,
} from '../../core/limits.ts'
import { ShardError, type ShardService } from '../../proto/shard-transport.ts'
import { afterAwake } from '../clock/after-awake.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import { verifyClusterToken } from '../rpc/cluster-token.ts'
import { FrameWriter } from '../rpc/frame-writer.ts'
import { emptyFrame, FrameError, FrameReader, type FrameType } from '../rpc/frames.ts'
import * as messages from '../rpc/shard-messages.ts'

export interface ServerConnectionOptions {
  readonly service: ShardService
  /** Callers who mean another node are refused; an empty name means whichever it is. */
  readonly nodeId: string
  /** The cluster's secret, which callers must hold. */
  readonly secret: string
  readonly clock: Clock
  readonly log: Log
}

/** One request between its first frame and the last byte of its answer. */
interface InFlight {
  readonly abort: AbortController
  readonly bytes: number
  /** A put whose data is still arriving. */
  receiving: { readonly head: messages.PutHead; readonly data: Buffer; filled: number } | undefined
}

/** An answer: a control frame and what follows it. */
interface Answer {
  readonly head: Buffer
  readonly data?: Uint8Array
}

/** A caller that keeps to the bounds never comes near this: what it no longer counts may still be leaving our socket. */
const SLACK = 2

/**
 * The server's end of a connection. Before the caller has shown its token it may send one small hello, in time; after
 * it, requests within the bounds of a connection. Whoever does otherwise is hung up on.
 */
export class ServerConnection {
  readonly #socket: Socket
  readonly #options: ServerConnectionOptions
  readonly #writer: FrameWriter
  readonly #reader: FrameReader
  readonly #inFlight = new Map<number, InFlight>()
  readonly #stopHelloTimer: () => void
  #bytes = 0
  #strangerBytes = 0
  #authenticated = false
  #turnedAway = false
  #draining = false

  constructor(socket: Socket, options: ServerConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#writer = new FrameWriter(socket)
    this.#reader = new FrameReader({
      control: (type, id, payload) => {
        this.#control(type, id, payload)
      },
      data: (id, piece) => {
        this.#data(id, piece)
      },
    })
    this.#reader.controlBytesMax = SHARD_HELLO_BYTES_MAX
    this.#stopHelloTimer = afterAwake(options.clock, SHARD_HELLO_TIMEOUT_MS, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk)
    })
    socket.on('error', (error) => {
      options.log.debug('shard connection failed', { error: error.message })
    })
    socket.once('close', () => {
      this.#stopHelloTimer()
      for (const request of this.#inFlight.values()) request.abort.abort()
    })
  }

  get authenticated(): boolean {
    return this.#authenticated
  }

  /** Answers what is in flight, refuses what comes, then hangs up. */
  drain(): void {
    this.#draining = true
    this.#endIfDrained()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    if (!this.#authenticated) {
      this.#strangerBytes += chunk.byteLength
      if (this.#strangerBytes > SHARD_HELLO_BYTES_MAX) {
        this.#socket.destroy()
        return
      }
    }
    try {
      this.#reader.push(chunk)
    } catch (error) {
      if (!(error instanceof FrameError) && !(error instanceof ShardError)) throw error
      this.#options.log.warn('hung up on a caller that broke the shard protocol', { error: error.message })
      this.#socket.destroy()
    }
  }

  #control(type: FrameType, id: number, payload: Buffer): void {
    // What was already read when we hung up.
    if (this.#socket.destroyed || this.#turnedAway) return
    if (!this.#authenticated) {
      this.#greet(type, payload)
      return
    }
    if (type === 'ping') {
      this.#writer.send(id, emptyFrame('pong', id))
      return
    }
    if (type === 'cancel') {
      this.#cancel(id)
      return
    }
    this.#start(type, id, payload)
  }

  #greet(type: FrameType, payload: Buffer): void {
    const { secret, clock, nodeId } = this.#options
    const hello = type === 'hello' ? messages.hello.decode(payload) : undefined
    if (hello === undefined || !verifyClusterToken(secret, hello.token, clock)) {
      this.#turnAway(new ShardError('unauthenticated', "the caller lacks the cluster's secret"))
    } else if (hello.version !== messages.PROTOCOL_VERSION) {
      this.#turnAway(
        new ShardError('unavailable', `shard protocol ${messages.PROTOCOL_VERSION} is spoken here`),
      )
    } else if (hello.node !== messages.ANY_NODE && hello.node !== nodeId) {
      this.#turnAway(new ShardError('unavailable', `storage node ${nodeId} lives here, not ${hello.node}`))
    } else {
      this.#authenticated = true
      this.#stopHelloTimer()
      this.#reader.controlBytesMax = SHARD_CONTROL_BYTES_MAX
      this.#writer.send(0, messages.welcome.encode({ background: true }))
    }
  }

  #turnAway(error: ShardError): void {
    // One answer, and the connection is over whether or not the caller hangs up.
    this.#turnedAway = true
    this.#writer.send(0, messages.failure.encode(0, error)).whenFlushed(() => {
      this.#socket.destroySoon()
    })
  }

  #cancel(id: number): void {
    const request = this.#inFlight.get(id)
    if (request === undefined) return
    request.abort.abort()
    if (request.receiving === undefined) return
    request.receiving = undefined
    this.#answer(id, request, { head: messages.failure.encode(id, new ShardError('aborted', 'cancelled')) })
  }

  #start(type: FrameType, id: number, payload: Buffer): void {
    if (this.#inFlight.has(id)) throw new FrameError(`request ${id} is in flight already`)
    if (type === 'put') {
      this.#startPut(id, payload)
      return
    }
    const { service } = this.#options
    switch (type) {
      case 'get': {
        const request = messages.get.decode(payload)
        this.#run(id, this.#admit(id, messages.getBytes(request)), async (signal) => {
          const { data, ...head } = await service.get(request, signal)
          return { head: messages.blocks.encode(id, { ...head, dataBytes: data.byteLength }), data }
        })
        return
      }
      case 'deleteBlob': {
        const { group, blob } = messages.deleteBlob.decode(payload)
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.deleted.encode(id, await service.deleteBlob(group, blob, signal)),
        }))
        return
      }
      case 'list': {
        const request = messages.list.decode(payload)
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.shards.encode(id, await service.list(request, signal)),
        }))
        return
      }
      case 'describe': {
        const addresses = messages.describe.decode(payload)
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.descriptions.encode(id, await service.describe(addresses, signal)),
        }))
        return
      }
      case 'deleteShards': {
        const request = messages.deleteShards.decode(payload)
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.deleted.encode(id, await service.deleteShards(request, signal)),
        }))
        return
      }
      case 'damaged': {
        const request = messages.damaged.decode(payload)
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.damagedShards.encode(id, await service.damaged(request, signal)),
        }))
        return
      }
      case 'status':
        this.#run(id, this.#admit(id, 0), async (signal) => ({
          head: messages.statusReply.encode(id, await service.status(signal)),
        }))
        return
      default:
        throw new FrameError(`a caller does not send ${type}`)
    }
  }

  #startPut(id: number, payload: Buffer): void {
    const head = messages.put.decode(payload)
    if (head.dataBytes > SHARD_BYTES_MAX) throw new FrameError(`a shard of ${head.dataBytes} bytes`)
    const request = this.#admit(id, head.dataBytes)
    request.receiving = { head, data: Buffer.allocUnsafe(head.dataBytes), filled: 0 }
    if (head.dataBytes === 0) this.#put(id, request)
  }

  #data(id: number, piece: Buffer): void {
    if (!this.#authenticated) throw new FrameError('data before a hello')
    const request = this.#inFlight.get(id)
    const receiving = request?.receiving
    // The rest of a put that was cancelled.
    if (request === undefined || receiving === undefined) return
    if (receiving.filled + piece.byteLength > receiving.data.byteLength) throw new FrameError('too much data')
    receiving.data.set(piece, receiving.filled)
    receiving.filled += piece.byteLength
    if (receiving.filled === receiving.data.byteLength) this.#put(id, request)
  }

  #put(id: number, request: InFlight): void {
    const { receiving } = request
    if (receiving === undefined) return
    request.receiving = undefined
    const { head, data } = receiving
    const { address, owner, epoch, checksums } = head
    this.#run(id, request, async (signal) => {
      await this.#options.service.put({ address, owner, epoch, checksums, data }, signal)
      return { head: emptyFrame('done', id) }
    })
  }

  #admit(id: number, bytes: number): InFlight {
    const tooMany = this.#inFlight.size >= SLACK * SHARD_CONNECTION_REQUESTS_MAX
    if (tooMany || this.#bytes + bytes > SLACK * SHARD_CONNECTION_BYTES_MAX) {
      throw new FrameError('more in flight than a connection may have')
    }
    const request = { abort: new AbortController(), bytes, receiving: undefined }
    this.#bytes += bytes
    this.#inFlight.set(id, request)
    return request
  }

  #run(id: number, request: InFlight, action: (signal: AbortSignal) => Promise<Answer>): void {
    void this.#outcome(id, request, action).then((answer) => {
      this.#answer(id, request, answer)
    })
  }

  async #outcome(
    id: number,
    request: InFlight,
    action: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      if (this.#draining) throw new ShardError('unavailable', 'shutting down')
      return await action(request.abort.signal)
    } catch (error) {
      const known = error instanceof ShardError ? error : new ShardError('unavailable', String(error))
      return { head: messages.failure.encode(id, known) }
    }
  }

  /** Every request gets one answer, a cancelled one too; its bytes count until they have left. */
  #answer(id: number, request: InFlight, { head, data }: Answer): void {
    this.#writer.send(id, head, data).whenFlushed(() => {
      this.#inFlight.delete(id)
      this.#bytes -= request.bytes
      this.#endIfDrained()
    })
  }

  #endIfDrained(): void {
    if (this.#draining && this.#inFlight.size === 0) this.#socket.end()
  }
}
