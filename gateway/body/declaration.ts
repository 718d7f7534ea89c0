/** What a request promises about its body before the first byte: framing, size, and digests. */
import { readChecksumHeaders, type DeclaredChecksum } from '../../core/checksum/headers.ts'
import type { PayloadMode } from '../../core/signing/payload.ts'
import { headerValue, type HeaderFields } from '../../core/signing/request.ts'
import { S3Error } from '../errors/s3-error.ts'

export interface BodyDeclaration {
  /** Bytes of the object's data, after the framing is taken off. */
  readonly size: number
  /** Whether the bytes on the wire are aws-chunked. */
  readonly chunked: boolean
  /** Bytes on the wire; absent with `Transfer-Encoding: chunked`. */
  readonly wireBytes?: number
  readonly contentMd5?: string
  readonly checksum?: DeclaredChecksum
  readonly trailers: readonly string[]
}

/**
 * Reads and checks the promises.
 * @param checksums whether `Content-MD5` and `x-amz-checksum-*` speak about this body; in CompleteMultipartUpload
 *   the latter speak about the object
 * @param maxBytes the largest data this operation takes
 * @throws {S3Error} MissingContentLength, NotImplemented, EntityTooLarge, InvalidDigest, InvalidRequest,
 *   MalformedTrailerError
 */
export function readBodyDeclaration(
  headers: HeaderFields,
  payload: PayloadMode,
  checksums: 'declared' | 'ignored',
  maxBytes: number,
): BodyDeclaration {
  const chunked = payload.kind === 'signed-chunks' || payload.kind === 'unsigned-chunks'
  const wireBytes = readLength(headers, 'content-length')
  if (!chunked && headerValue(headers, 'transfer-encoding') !== undefined) {
    throw new S3Error('NotImplemented', { fields: { Header: 'Transfer-Encoding' } })
  }
  const size = chunked ? readLength(headers, 'x-amz-decoded-content-length') : wireBytes
  if (size === undefined) throw new S3Error('MissingContentLength')
  if (size > maxBytes) {
    const fields = { ProposedSize: String(size), MaxSizeAllowed: String(maxBytes) }
    throw new S3Error('EntityTooLarge', { fields })
  }
  const length = wireBytes === undefined ? {} : { wireBytes }
  if (checksums === 'ignored') return { size, chunked, ...length, trailers: [] }
  const declared = readChecksumHeaders(headers)
  if (!declared.ok) {
    const { code, message, fields } = declared
    throw new S3Error(code, { ...(message === undefined ? {} : { message }), fields })
  }
  if (!chunked && declared.trailers.length > 0) throw new S3Error('MalformedTrailerError')
  return {
    size,
    chunked,
    ...length,
    ...(declared.contentMd5 === undefined ? {} : { contentMd5: declared.contentMd5 }),
    ...(declared.checksum === undefined ? {} : { checksum: declared.checksum }),
    trailers: declared.trailers,
  }
}

/** A length header: digits only, one value; anything else counts as missing, as S3 answers it. */
function readLength(headers: HeaderFields, name: string): number | undefined {
  const text = headerValue(headers, name)
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const length = Number(text)
  return Number.isSafeInteger(length) ? length : undefined
}
