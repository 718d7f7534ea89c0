import { connect, type Socket } from 'node:net'
import {
  SHARD_ABORT_FLUSH_MS,
  SHARD_CONNECT_TIMEOUT_MS,
  SHARD_CONNECTION_BYTES_MAX,
  SHARD_CONNECTION_REQUESTS_MAX,
  SHARD_DEAD_PEER_MS,
  SHARD_PING_MS,
  SHARD_REQUEST_TIMEOUT_MS,
} from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import { blockCount, firstBadBlock } from '../crypto/crc32c.ts'
import { afterAwake } from '../clock/after-awake.ts'
import type { Clock } from '../ports/clock.ts'
import { FrameWriter, type Outgoing } from '../rpc/frame-writer.ts'
import { emptyFrame, FrameError, FrameReader, type FrameType } from '../rpc/frames.ts'
import * as messages from '../rpc/shard-messages.ts'

/** Bytes of one read from the socket: a quarter of a large shard. */
const READ_BYTES = 256 * 1024

/** What a node answered. */
export interface Reply {
  readonly type: FrameType
  /** Of the control frame; a copy. */
  readonly payload: Buffer
  /** Of `blocks`. */
  readonly data: Buffer
}

/** A request, before it has an id. */
export interface Call {
  /** Shard bytes that count against the connection while it is in flight, in either direction. */
  readonly bytes: number
  /** The control frame. */
  head(id: number, node: messages.Knowledge): Buffer
  /** What follows it; not read once `settle` or `fail` was called. */
  readonly data?: Uint8Array
  settle(reply: Reply): void
  fail(error: ShardError): void
}

interface InFlight {
  readonly call: Call
  readonly outgoing: Outgoing
  deadline: number
  /** The caller has its outcome; the entry stays until the node answers, as its bytes count until then. */
  settled: boolean
  blocks: { readonly payload: Buffer; readonly data: Buffer; filled: number } | undefined
}

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly node: string
  readonly token: string
  readonly clock: Clock
  /** Room for more requests, or none for ever: the pool looks again. */
  changed(): void
  /** Called once, with why it could not be opened or is no more. */
  closed(error: ShardError): void
}

/** The client's end of a connection to one node. */
export class ClientConnection {
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #writer: FrameWriter
  readonly #inFlight = new Map<number, InFlight>()
  #state: 'opening' | 'open' | 'closed' = 'opening'
  #node: messages.Knowledge = { background: false }
  #wasOpen = false
  #bytes = 0
  #lastId = 0
  /** Looks in a row at which nothing had come from the node. */
  #silentLooks = 0
  #stopTimer: () => void
  #ticking = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    const { clock } = options
    const reader = new FrameReader({
      control: (type, id, payload) => {
        this.#control(type, id, payload)
      },
      data: (id, piece) => {
        this.#data(id, piece)
      },
    })
    const socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      // One buffer for all that arrives: nothing is kept of it, and a new one for every read is work for the collector.
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (bytes, buffer) => {
          this.#receive(reader, Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
          return true
        },
      },
    })
    this.#socket = socket
    this.#writer = new FrameWriter(socket)
    this.#stopTimer = afterAwake(clock, SHARD_CONNECT_TIMEOUT_MS, () => {
      this.#fail(`no answer to a hello within ${SHARD_CONNECT_TIMEOUT_MS} ms`)
    })
    socket.once('connect', () => {
      const { node, token } = options
      this.#writer.send(0, messages.hello.encode({ version: messages.PROTOCOL_VERSION, node, token }))
    })
    socket.on('error', (error) => {
      this.#fail(error.message)
    })
    socket.once('end', () => {
      this.#fail('the node hung up')
    })
    socket.once('close', () => {
      this.#fail('the connection was closed')
    })
  }

  /** Whether the node ever let us in. */
  get wasOpen(): boolean {
    return this.#wasOpen
  }

  get open(): boolean {
    return this.#state === 'open'
  }

  /** Shard bytes in flight. */
  get bytes(): number {
    return this.#bytes
  }

  hasRoom(bytes: number): boolean {
    const room = this.#bytes + bytes <= SHARD_CONNECTION_BYTES_MAX
    return this.open && room && this.#inFlight.size < SHARD_CONNECTION_REQUESTS_MAX
  }

  /** Sends a call for which there is room. The result gives it up. */
  start(call: Call): (error: ShardError) => void {
    const id = this.#nextId()
    const head = call.head(id, this.#node)
    const request: InFlight = {
      call,
      outgoing: this.#writer.send(id, head, call.data),
      deadline: this.#options.clock.monotonicMs() + SHARD_REQUEST_TIMEOUT_MS,
      settled: false,
      blocks: undefined,
    }
    // Silence counts from when something is expected.
    if (this.#inFlight.size === 0) this.#silentLooks = 0
    this.#bytes += call.bytes
    this.#inFlight.set(id, request)
    this.#tick()
    return (error) => {
      if (!request.settled && this.#inFlight.get(id) === request) this.#giveUp(id, request, error)
    }
  }

  close(): void {
    this.#fail('closing')
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0
    while (this.#lastId === 0 || this.#inFlight.has(this.#lastId))
    return this.#lastId
  }

  #receive(reader: FrameReader, chunk: Buffer): void {
    this.#silentLooks = 0
    try {
      reader.push(chunk)
    } catch (error) {
      if (!(error instanceof FrameError) && !(error instanceof ShardError)) throw error
      this.#fail(error.message)
    }
  }

  #control(type: FrameType, id: number, payload: Buffer): void {
    if (this.#state === 'opening') {
      this.#greeted(type, payload)
      return
    }
    if (type === 'pong') return
    const request = this.#inFlight.get(id)
    if (request === undefined) throw new FrameError(`an answer to ${id}, which was not asked`)
    if (type !== 'blocks') {
      this.#finish(id, request, { type, payload: Buffer.from(payload), data: Buffer.alloc(0) })
      return
    }
    const { dataBytes } = messages.blocks.decode(payload)
    if (dataBytes > request.call.bytes) throw new FrameError('more blocks than were asked for')
    request.blocks = { payload: Buffer.from(payload), data: Buffer.allocUnsafe(dataBytes), filled: 0 }
    if (dataBytes === 0) this.#finishBlocks(id, request)
  }

  #greeted(type: FrameType, payload: Buffer): void {
    if (type === 'welcome') {
      this.#stopTimer()
      this.#node = messages.welcome.decode(payload)
      this.#state = 'open'
      this.#wasOpen = true
      this.#options.changed()
      return
    }
    if (type !== 'error') throw new FrameError(`${type} in answer to a hello`)
    this.#close(messages.failure.decode(payload))
  }

  #data(id: number, piece: Buffer): void {
    const request = this.#inFlight.get(id)
    const blocks = request?.blocks
    if (
      request === undefined ||
      blocks === undefined ||
      blocks.filled + piece.byteLength > blocks.data.byteLength
    ) {
      throw new FrameError('data that was not announced')
    }
    blocks.data.set(piece, blocks.filled)
    blocks.filled += piece.byteLength
    if (blocks.filled === blocks.data.byteLength) this.#finishBlocks(id, request)
  }

  #finishBlocks(id: number, request: InFlight): void {
    const { blocks } = request
    if (blocks === undefined) return
    this.#finish(id, request, { type: 'blocks', payload: blocks.payload, data: blocks.data })
  }

  #finish(id: number, request: InFlight, reply: Reply): void {
    this.#inFlight.delete(id)
    this.#bytes -= request.call.bytes
    if (!request.settled) {
      request.settled = true
      // An answer may come before all data has left: a node that is shutting down does not wait for it.
      request.outgoing.cancel()
      request.outgoing.whenFlushed(() => {
        request.call.settle(reply)
      })
    }
    this.#options.changed()
  }

  /**
   * The caller wants no answer any more. It hears so once the socket holds no view of its data; where that takes long,
   * the connection is given up with all that is on it.
   */
  #giveUp(id: number, request: InFlight, error: ShardError): void {
    const { clock } = this.#options
    request.settled = true
    request.deadline = clock.monotonicMs() + SHARD_REQUEST_TIMEOUT_MS
    request.outgoing.cancel()
    this.#writer.send(id, emptyFrame('cancel', id))
    const stop = clock.after(SHARD_ABORT_FLUSH_MS, () => {
      this.#fail('an aborted request did not leave the socket')
    })
    request.outgoing.whenFlushed(() => {
      stop()
      request.call.fail(error)
    })
  }

  /** While anything is in flight: asks for a sign of life when it is silent, and ends what takes too long. */
  #tick(): void {
    if (this.#ticking) return
    this.#ticking = true
    const { clock } = this.#options
    this.#stopTimer = clock.after(SHARD_PING_MS, () => {
      this.#ticking = false
      if (this.#state !== 'open' || this.#inFlight.size === 0) return
      const now = clock.monotonicMs()
      // Looks and not milliseconds: while this process stood still, it could hear nobody.
      this.#silentLooks++
      if (this.#silentLooks > SHARD_DEAD_PEER_MS / SHARD_PING_MS) {
        this.#fail(`no sign of life for ${SHARD_DEAD_PEER_MS} ms`)
        return
      }
      if (this.#silentLooks > 1) this.#writer.send(0, emptyFrame('ping', 0))
      for (const [id, request] of this.#inFlight) {
        if (now < request.deadline) continue
        if (request.settled) {
          this.#fail('the node does not answer')
          return
        }
        const late = `no answer within ${SHARD_REQUEST_TIMEOUT_MS} ms`
        this.#giveUp(id, request, new ShardError('unavailable', late))
      }
      this.#tick()
    })
  }

  #fail(reason: string): void {
    const { host, port, node } = this.#options
    this.#close(new ShardError('unavailable', `storage node ${node} at ${host}:${port}: ${reason}`))
  }

  #close(error: ShardError): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#stopTimer()
    this.#socket.destroy()
    const requests = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const request of requests) {
      if (request.settled) continue
      request.settled = true
      request.outgoing.whenFlushed(() => {
        request.call.fail(error)
      })
    }
    this.#options.closed(error)
  }
}

/** @throws {ShardError} `corrupt` when blocks are not what the node says it read. */
export function blocksOf(
  reply: Reply,
): Omit<messages.BlocksHead, 'dataBytes'> & { readonly data: Uint8Array } {
  const { offset, shardBytes, checksums } = messages.blocks.decode(reply.payload)
  const { data } = reply
  const bad = checksums.length === blockCount(data.byteLength) ? firstBadBlock(data, checksums) : 0
  if (bad !== -1) throw new ShardError('corrupt', `block ${bad} arrived with a wrong checksum`)
  return { offset, data, checksums, shardBytes }
}
