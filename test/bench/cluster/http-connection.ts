/**
 * A client of HTTP/1.1 for the load generator: one request at a time on one connection, bodies of a declared length. It
 * costs a fifth of node:http's, so that on a small machine it is the server that is measured.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface HttpRequest {
  /** Request line and headers, with their last empty line. */
  readonly head: string
  readonly body: Iterable<Uint8Array>
  /** Takes the body of a good answer; a piece is valid during the call only. */
  readonly take?: (piece: Buffer) => void
  /** A HEAD: its answer announces a length, and has no body. */
  readonly headOnly?: boolean
}

/** An answer other than 2xx; the connection goes on. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number

  constructor(status: number, answer: string) {
    super(`refused: ${answer}`)
    this.status = status
  }
}

interface Pending {
  readonly take: ((piece: Buffer) => void) | undefined
  readonly headOnly: boolean
  head: string
  /** Bytes of body to come; undefined while the head is. */
  left: number | undefined
  readonly refusal: Buffer[]
  status: number
  resolve(head: string): void
  reject(error: Error): void
}

const READ_BYTES = 256 * 1024
const HEAD_END = '\r\n\r\n'

export class HttpConnection {
  readonly #socket: Socket
  #pending: Pending | undefined
  #failure: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  static async open(host: string, port: number): Promise<HttpConnection> {
    const socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (bytes, buffer) => {
          connection.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes))
          return true
        },
      },
    })
    const connection = new HttpConnection(socket)
    await once(socket, 'connect')
    socket.on('error', (error) => {
      connection.#fail(error)
    })
    socket.once('close', () => {
      connection.#fail(new Error('the server hung up'))
    })
    return connection
  }

  /** Whether it has failed, or was closed, and can be asked nothing more. */
  get over(): boolean {
    return this.#failure !== undefined || this.#socket.destroyed
  }

  /** Resolves to the head of a good answer. @throws {HttpRefusal} any other */
  async exchange({ head, body, take, headOnly = false }: HttpRequest): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#pending !== undefined) throw new Error('one request at a time')
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const pending = { take, headOnly, head: '', left: undefined, refusal: [], status: 0, resolve, reject }
    this.#pending = pending
    await Promise.all([promise, this.#send(head, body, pending)])
    return await promise
  }

  close(): void {
    this.#socket.destroy()
  }

  async #send(head: string, body: Iterable<Uint8Array>, pending: Pending): Promise<void> {
    const socket = this.#socket
    socket.cork()
    socket.write(head, 'latin1')
    let corked = true
    for (const piece of body) {
      if (this.#pending !== pending) break
      const room = socket.write(piece)
      if (corked) socket.uncork()
      corked = false
      if (!room && !socket.destroyed) await drained(socket)
    }
    if (corked) socket.uncork()
  }

  #receive(chunk: Buffer): void {
    const pending = this.#pending
    if (pending === undefined) {
      this.#fail(new Error('an answer that nobody asked for'))
      return
    }
    try {
      const body = pending.left === undefined ? this.#readHead(pending, chunk) : chunk
      if (pending.left === undefined) return
      if (body.byteLength > pending.left) throw new Error('more than the answer announced')
      pending.left -= body.byteLength
      if (!isGood(pending)) pending.refusal.push(Buffer.from(body))
      else if (body.byteLength > 0) pending.take?.(body)
      if (pending.left === 0) this.#finish(pending)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** What of the chunk follows the head. */
  #readHead(pending: Pending, chunk: Buffer): Buffer {
    const before = pending.head.length
    const text = pending.head + chunk.toString('latin1')
    const end = text.indexOf(HEAD_END)
    pending.head = end === -1 ? text : text.slice(0, end + HEAD_END.length)
    if (end === -1) return chunk.subarray(chunk.byteLength)
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(pending.head)?.[1])
    pending.status = status
    const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(pending.head)?.[1]
    if (length === undefined && status !== 204 && !pending.headOnly) {
      throw new Error(`an answer without a length: ${pending.head}`)
    }
    pending.left = pending.headOnly ? 0 : Number(length ?? 0)
    return chunk.subarray(pending.head.length - before)
  }

  #finish(pending: Pending): void {
    this.#pending = undefined
    const { head, status, refusal } = pending
    if (isGood(pending)) pending.resolve(head)
    else pending.reject(new HttpRefusal(status, `${head}${Buffer.concat(refusal).toString()}`))
    // The server closes it.
    if (/\r\nconnection: *close\r\n/i.test(head)) this.#fail(new Error('the server closes the connection'))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#pending?.reject(this.#failure)
    this.#pending = undefined
    this.#socket.destroy()
  }
}

function isGood({ status }: Pending): boolean {
  return status >= 200 && status < 300
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
}
