/** Answers to what is not HTTP, written straight to the socket: no request object exists yet. They are recorded as all are. */
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../runtime/ports/clock.ts'
import { S3Error } from '../errors/s3-error.ts'
import { formatHttpDate } from '../schema/values.ts'
import { errorDocument } from './error-response.ts'
import type { Identity } from './identity.ts'
import type { Recorder } from './ports.ts'

export interface RefusalScene {
  readonly identity: Identity
  readonly clock: Clock
  readonly recorders: readonly Recorder[]
  readonly limits: { readonly headBytesMax: number }
}

/** Sends the error that fits Node's parser error, then closes. */
export function refuseUnparsed(
  error: Error,
  socket: Duplex,
  { identity, clock, recorders, limits }: RefusalScene,
): void {
  if (!socket.writable || code(error) === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const refusal = toS3(error, limits.headBytesMax)
  const { hostId } = identity
  const requestId = identity.nextRequestId()
  const timeMs = clock.nowMs()
  const scene = { requestId, hostId, method: '', bucket: undefined, key: undefined }
  const body = errorDocument(refusal, scene)
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
      `x-amz-request-id: ${requestId}`,
      `x-amz-id-2: ${hostId}`,
      `date: ${formatHttpDate(new Date(timeMs))}`,
      'server: Ashlar',
      'content-type: application/xml',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  )
  for (const take of recorders) {
    take({
      requestId,
      timeMs,
      method: '',
      operation: undefined,
      bucket: undefined,
      key: undefined,
      sender: 'anonymous',
      status: refusal.status,
      errorCode: refusal.code,
      bytesReceived: 0,
      bytesSent: Buffer.byteLength(body),
      complete: true,
      durationMs: 0,
      remoteAddress: remoteAddressOf(socket),
      userAgent: undefined,
    })
  }
}

function toS3(error: Error, headBytesMax: number): S3Error {
  switch (code(error)) {
    case 'HPE_HEADER_OVERFLOW':
      return new S3Error('RequestHeaderSectionTooLarge', { fields: { MaxSizeAllowed: String(headBytesMax) } })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new S3Error('RequestTimeout')
    default:
      return new S3Error('BadRequest', { message: 'An error occurred when parsing the HTTP request.' })
  }
}

function code(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** `node:http` gives a socket as the stream it is; over TCP it knows its other end. */
function remoteAddressOf(socket: Duplex): string {
  return 'remoteAddress' in socket && typeof socket.remoteAddress === 'string' ? socket.remoteAddress : ''
}
