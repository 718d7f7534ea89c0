import { DOCUMENT_BYTES_UNCOUNTED } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { DocumentLease } from './document-memory.ts'
import type { VerifiedBody } from './verified-body.ts'

/**
 * A whole, accepted body in memory: for documents, never for objects. Memory is taken as bytes come, and not as a head
 * promises them.
 * @param maxBytes the largest document the operation takes
 * @param lease what the document takes; the caller releases it when it has read the document
 * @throws {S3Error} MaxMessageLengthExceeded before the first byte is read; SlowDown when memory is short; what the body's
 *   own promises refuse
 */
export async function collectBody(
  body: VerifiedBody,
  maxBytes: number,
  lease: DocumentLease,
): Promise<Uint8Array> {
  const { size } = body
  if (size > maxBytes) {
    throw new S3Error('MaxMessageLengthExceeded', { fields: { MaxMessageLengthBytes: String(maxBytes) } })
  }
  let whole = new Uint8Array(Math.min(size, DOCUMENT_BYTES_UNCOUNTED))
  let at = 0
  for await (const view of body) {
    const end = at + view.byteLength
    if (end > whole.byteLength) {
      const room = Math.min(size, Math.max(end, 2 * whole.byteLength))
      lease.grow(room)
      const larger = new Uint8Array(room)
      larger.set(whole.subarray(0, at))
      whole = larger
    }
    whole.set(view, at)
    at = end
  }
  // Throws unless the end of the stream, or the consumer of delegated digests, accepted the body.
  body.result()
  return whole.subarray(0, at)
}
