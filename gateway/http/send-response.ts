/** Writes an answer to a `node:http` response: head, then body under backpressure, never a wrong complete one. */
import type { ServerResponse } from 'node:http'
import type { BodyStream } from '../schema/response-writer.ts'
import type { Delivery, OpenStream, OutgoingResponse } from './exchange.ts'

/**
 * Sends all but the very end: resolves when the last byte was handed to the socket. The caller then ends the response
 * (`res.end()`). A body that fails midway, or yields other than its `size`, destroys the connection, so that the client
 * sees a truncated transfer. Rejects with what the body threw; resolves `complete: false` when the client left.
 */
export async function sendResponse(
  res: ServerResponse,
  { status, headers, body }: OutgoingResponse,
  options: { readonly head: boolean; readonly close: boolean },
): Promise<Delivery> {
  const size = body === undefined ? 0 : body instanceof Uint8Array ? body.byteLength : body.size
  for (const [name, value] of headers) if (name !== 'content-length') res.setHeader(name, value)
  if (options.close) res.setHeader('connection', 'close')
  const bodiless = options.head || status === 204 || status === 304
  // A HEAD answer describes the object: its length, if the handler gave one, stays.
  const length = bodiless ? headers.get('content-length') : size
  // Last: Node decodes a Content-Disposition that comes after Content-Length as UTF-8, and then cuts it to Latin-1.
  if (length !== undefined) res.setHeader('content-length', length)
  res.writeHead(status)
  if (bodiless || body === undefined || size === 0) {
    if (!(body === undefined || body instanceof Uint8Array) && !bodiless) await assertEmpty(res, body)
    // Node flushes a head as UTF-8, and with anything else as Latin-1, which is what holds our bytes.
    if (isAscii(headers)) res.flushHeaders()
    return { bytesSent: 0, complete: !res.destroyed }
  }
  if (body instanceof Uint8Array) {
    res.write(body)
    return { bytesSent: body.byteLength, complete: !res.destroyed }
  }
  return await sendStream(res, body)
}

function isAscii(headers: ReadonlyMap<string, string>): boolean {
  return headers.values().every((value) => !/[\u0080-\u00ff]/.test(value))
}

async function sendStream(res: ServerResponse, { size, stream }: BodyStream | OpenStream): Promise<Delivery> {
  const sizeMax = size ?? Infinity
  let bytesSent = 0
  try {
    for await (const chunk of stream) {
      if (res.destroyed) return { bytesSent, complete: false }
      if (bytesSent + chunk.byteLength > sizeMax) throw new Error(`body is longer than its ${sizeMax} bytes`)
      bytesSent += chunk.byteLength
      if (!res.write(chunk) && !(await drained(res))) return { bytesSent, complete: false }
    }
    if (bytesSent < (size ?? 0)) throw new Error(`body ended after ${bytesSent} of ${sizeMax} bytes`)
  } catch (error) {
    const gone = res.destroyed
    res.destroy()
    if (gone) return { bytesSent, complete: false }
    throw error
  }
  return { bytesSent, complete: !res.destroyed }
}

/** A stream of no bytes is still read: it may fail. */
async function assertEmpty(res: ServerResponse, body: BodyStream | OpenStream): Promise<void> {
  await sendStream(res, body)
}

/** Waits for room in the socket's buffer; false when the client left first. */
async function drained(res: ServerResponse): Promise<boolean> {
  if (res.destroyed) return false
  // By hand: an AbortSignal that ends `once` costs an error with its stack, at every 64 KiB of a large answer.
  await new Promise<void>((resolve) => {
    const done = (): void => {
      res.off('drain', done)
      res.off('close', done)
      resolve()
    }
    res.on('drain', done)
    res.on('close', done)
  })
  return !res.destroyed
}
