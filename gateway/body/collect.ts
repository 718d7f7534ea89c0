import { S3Error } from '../errors/s3-error.ts'
import type { VerifiedBody } from './verified-body.ts'

/**
 * A whole, accepted body in memory: for documents, never for objects.
 * @param maxBytes the largest document the operation takes
 * @throws {S3Error} MaxMessageLengthExceeded before the first byte is read; what the body's own promises refuse
 */
export async function collectBody(body: VerifiedBody, maxBytes: number): Promise<Uint8Array> {
  if (body.size > maxBytes) {
    throw new S3Error('MaxMessageLengthExceeded', { fields: { MaxMessageLengthBytes: String(maxBytes) } })
  }
  const whole = new Uint8Array(body.size)
  let at = 0
  for await (const view of body) {
    whole.set(view, at)
    at += view.byteLength
  }
  // Throws unless the end of the stream, or the consumer of delegated digests, accepted the body.
  body.result()
  return whole
}
