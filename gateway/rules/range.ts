/**
 * The Range header (RFC 9110 §14.2) as S3 honours it: one range of bytes. Several ranges, other units and malformed headers
 * are ignored, and the whole object is sent.
 */
import { S3Error } from '../errors/s3-error.ts'

/** Bytes `first` to `last`, both included. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * The range of an object of `size` bytes that `header` asks for; undefined when all of it is to be sent.
 * Throws `InvalidRange` (416) when the range starts at or past the end, or asks for the last 0 bytes.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = header === undefined ? null : /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header)
  if (!match || header === undefined) return undefined
  const [, from = '', to = ''] = match
  if (from === '' && to === '') return undefined
  if (from === '') {
    const length = Math.min(Number(to), size)
    if (length === 0) throw invalidRange(header, size)
    return { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (to !== '' && Number(to) < first) return undefined
  if (first >= size) throw invalidRange(header, size)
  return { first, last }
}

/** The Content-Range of a 206: `bytes 0-9/100`. */
export function formatContentRange({ first, last }: ByteRange, size: number): string {
  return `bytes ${first}-${last}/${size}`
}

/**
 * The range of UploadPartCopy (`x-amz-copy-source-range`), which unlike Range must be whole: `bytes=first-last`, inside the
 * source.
 * @throws {S3Error} InvalidArgument; InvalidRequest for one that begins past the end (recorded of the service by LocalStack's
 *   `test_upload_part_copy_range`)
 */
export function parseCopySourceRange(header: string, size: number): ByteRange {
  const match = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(header)
  const [first, last] = [Number(match?.[1]), Number(match?.[2])]
  if (!match || first > last) {
    throw new S3Error('InvalidArgument', {
      message:
        'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
      fields: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header },
    })
  }
  if (first >= size) {
    throw new S3Error('InvalidRequest', {
      message: 'The specified copy range is invalid for the source object size',
    })
  }
  if (last >= size) {
    throw new S3Error('InvalidArgument', {
      message: `Range specified is not valid for source object of size: ${size}`,
      fields: { ArgumentName: 'x-amz-copy-source-range', ArgumentValue: header },
    })
  }
  return { first, last }
}

function invalidRange(header: string, size: number): S3Error {
  return new S3Error('InvalidRange', {
    fields: { RangeRequested: header, ActualObjectSize: String(size) },
    headers: { 'content-range': `bytes */${size}` },
  })
}
