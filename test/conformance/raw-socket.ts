/** Requests byte by byte, for clients that do not keep their word. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { formatAmzDate } from '../../core/signing/time.ts'
import { sign, type Signer } from './signed-request.ts'

export interface Head {
  readonly method: string
  readonly target: string
  /** `x-amz-content-sha256` and the length among them. */
  readonly headers: Readonly<Record<string, string>>
  /** False: anonymous. */
  readonly signed?: boolean
}

/** Connects and sends the head of a request. */
export async function openRequest(
  signer: Signer,
  { method, target, headers, signed = true }: Head,
): Promise<Socket> {
  const plain = { host: signer.address, 'x-amz-date': formatAmzDate(Date.now()), ...headers }
  const sent = { ...(signed ? sign(signer, method, target, plain) : plain), connection: 'close' }
  const lines = Object.entries(sent).map(([name, value]) => `${name}: ${value}\r\n`)
  const [host = '', port] = signer.address.split(':')
  const socket = connect({ host, port: Number(port), allowHalfOpen: true })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
  return socket
}

/** Waits for `100 Continue`. @throws when another answer comes, or none */
export async function continued(socket: Socket): Promise<void> {
  const [piece] = (await once(socket, 'data')) as [Buffer]
  const text = piece.toString('latin1')
  if (text !== 'HTTP/1.1 100 Continue\r\n\r\n') throw new Error(`instead of 100 Continue: ${text}`)
}

export interface SocketAnswer {
  readonly status: number
  readonly code: string | undefined
}

/** The first answer that comes back, once it is whole: by its length, or else by the server's closing. */
export async function answerOf(socket: Socket): Promise<SocketAnswer> {
  let text = ''
  const whole = new Promise<void>((resolve) => {
    socket.setEncoding('latin1')
    socket.on('data', (piece: string) => {
      text += piece
      const head = /^HTTP[^]*?\r\ncontent-length: (\d+)\r\n[^]*?\r\n\r\n/i.exec(text)
      if (head !== null && text.length >= head[0].length + Number(head[1])) resolve()
    })
    socket.once('end', resolve)
    socket.once('close', () => resolve())
  })
  await whole
  socket.destroy()
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]),
    code: /<Code>([^<]*)<\/Code>/.exec(text)?.[1],
  }
}
