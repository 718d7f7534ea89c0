/** Answers to what is not HTTP, written straight to the socket: no request object exists yet. */
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { S3Error } from '../errors/s3-error.ts'
import { errorDocument } from './error-response.ts'
import type { Identity } from './identity.ts'

/** Sends the error that fits Node's parser error, then closes. */
export function refuseUnparsed(error: Error, socket: Duplex, identity: Identity): void {
  if (!socket.writable || code(error) === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const refusal = toS3(error)
  const { hostId } = identity
  const requestId = identity.nextRequestId()
  const scene = { requestId, hostId, method: '', bucket: undefined, key: undefined }
  const body = errorDocument(refusal, scene)
  socket.end(
    [
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] ?? ''}`,
      `x-amz-request-id: ${requestId}`,
      `x-amz-id-2: ${hostId}`,
      'content-type: application/xml',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
    () => socket.destroy(),
  )
}

function toS3(error: Error): S3Error {
  switch (code(error)) {
    case 'HPE_HEADER_OVERFLOW':
      return new S3Error('RequestHeaderSectionTooLarge')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new S3Error('RequestTimeout')
    default:
      return new S3Error('BadRequest', { message: 'An error occurred when parsing the HTTP request.' })
  }
}

function code(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
