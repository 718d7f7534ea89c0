/** A browser's form as it comes: the fields at once, the file as a stream. */
import { S3Error } from '../errors/s3-error.ts'
import { FilePart } from './file-part.ts'
import { FormHeadParser } from './form-head.ts'

/** What the file's name takes the place of. */
// oxlint-disable-next-line eslint/no-template-curly-in-string
export const FILE_NAME = '${filename}'

export interface Form {
  /** By lower-case name, values as byte strings, `${filename}` filled in. */
  readonly fields: ReadonlyMap<string, string>
  /** Bytes the file has at the most, by the length of the body. */
  readonly sizeMax: number
  /** Bytes it has if nothing but the closing delimiter follows it, as is usual. */
  readonly sizeLikely: number
  /** The file, to be read once. @throws {S3Error} MalformedPOSTRequest when the form ends before it does */
  readonly file: AsyncIterable<Uint8Array>
}

/**
 * Reads a form up to its file.
 * @param bodyBytes the length of the body, as declared
 * @throws {S3Error} MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument, and what `body` throws
 */
export async function readForm(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
  bodyBytes: number,
): Promise<Form> {
  const pieces = body[Symbol.asyncIterator]()
  const parser = new FormHeadParser(boundary)
  for (;;) {
    const next = await pieces.next()
    if (next.done === true) throw new S3Error('MalformedPOSTRequest')
    const head = parser.push(next.value)
    if (head === undefined) continue
    const left = bodyBytes - head.headBytes
    const delimiter = boundary.length + 4
    return {
      fields: fillIn(head.fields, head.fileName),
      sizeMax: Math.max(0, left - delimiter - 2),
      sizeLikely: Math.max(0, left - delimiter - 4),
      file: readFile(head.rest, pieces, boundary),
    }
  }
}

/**
 * `${filename}` may stand in any field but those that say what was signed. A file without a name takes the place of nothing
 * (recorded of the service by LocalStack's `test_post_object_with_file_as_string`).
 */
function fillIn(fields: ReadonlyMap<string, string>, fileName: string): ReadonlyMap<string, string> {
  if (fileName === '') return fields
  const filled = new Map<string, string>()
  for (const [name, value] of fields) {
    const signed = name === 'policy' || name === 'x-amz-signature'
    filled.set(name, signed ? value : value.replaceAll(FILE_NAME, () => fileName))
  }
  return filled
}

/** The whole body is read, also what follows the file: it belongs to the request. */
async function* readFile(
  first: Uint8Array,
  pieces: AsyncIterator<Uint8Array>,
  boundary: string,
): AsyncGenerator<Uint8Array, void> {
  const part = new FilePart(boundary)
  let piece = first
  for (;;) {
    const data = part.push(piece)
    if (data.byteLength > 0) yield data
    const next = await pieces.next()
    if (next.done === true) break
    piece = next.value
  }
  part.end()
}
