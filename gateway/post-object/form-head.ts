/**
 * The part of a browser's form before the file: boundary, fields, and the header of the file's part.
 *
 * Ours, and not a library's: S3 bounds everything before the file together (20 KB), takes the file by its field's name
 * and not by whether a part has a file name, and ignores all that follows it; and a byte of the file must not be touched
 * twice. The parser is pure; how its input is cut into pieces makes no difference.
 * Sources: RFC 7578; RFC 2046 §5.1; S3 API Reference, "Creating an HTML Form (Using AWS Signature Version 4)".
 */
import { FORM_BOUNDARY_BYTES_MAX, POST_FORM_BYTES_MAX } from '../../core/limits.ts'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'

export interface FormHead {
  /** By lower-case name, values as byte strings; of repeated fields the last, but metadata is joined by commas. */
  readonly fields: ReadonlyMap<string, string>
  /** The file's name as the browser gave it, without its path; a byte string, empty when it has none. */
  readonly fileName: string
  /** Bytes of the body before the file's first. */
  readonly headBytes: number
  /** Bytes of the file, or what follows it, that came with the last piece. */
  readonly rest: Uint8Array
}

/** The boundary of a form. @throws {S3Error} PreconditionFailed when it is no form, MalformedPOSTRequest */
export function formBoundary(contentType: string | undefined): string {
  const [type = '', ...parameters] = (contentType ?? '').split(';')
  if (type.trim().toLowerCase() !== 'multipart/form-data') {
    // The documented RequestIsNotMultiPartContent is not what the service sends.
    throw new S3Error('PreconditionFailed', {
      fields: { Condition: 'Bucket POST must be of the enclosure-type multipart/form-data' },
    })
  }
  for (const parameter of parameters) {
    const match = /^\s*boundary=(?:"([^"\r\n]+)"|([^\s"]+))\s*$/i.exec(parameter)
    const boundary = match?.[1] ?? match?.[2]
    if (boundary !== undefined && boundary.length <= FORM_BOUNDARY_BYTES_MAX) return boundary
  }
  throw new S3Error('MalformedPOSTRequest')
}

export class FormHeadParser {
  readonly #delimiter: Buffer
  readonly #fields = new Map<string, string>()
  #bytes = Buffer.alloc(0)
  /** Where in `#bytes` the next part begins: behind its delimiter. -1 before the first. */
  #part = -1
  /** Up to where the delimiter of the part under way has been looked for. */
  #searched = 0

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /**
   * Takes the next piece; the head once the file begins.
   * @throws {S3Error} MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument (no file)
   */
  push(piece: Uint8Array): FormHead | undefined {
    this.#bytes = Buffer.concat([this.#bytes, piece])
    const head = this.#read()
    const headBytes = head?.headBytes ?? this.#bytes.length
    if (headBytes > POST_FORM_BYTES_MAX) {
      const fields = { MaxPostPreDataLengthBytes: String(POST_FORM_BYTES_MAX) }
      throw new S3Error('MaxPostPreDataLengthExceeded', { fields })
    }
    return head
  }

  #read(): FormHead | undefined {
    if (this.#part < 0 && !this.#takeFirstDelimiter()) return undefined
    for (;;) {
      const line = this.#bytes.subarray(this.#part, this.#part + 2).toString('latin1')
      if (line.length < 2) return undefined
      if (line === '--') {
        throw invalidArgument('file', '0', 'POST requires exactly one file upload per request.')
      }
      if (line !== '\r\n') throw malformed()
      const headersEnd = this.#bytes.indexOf('\r\n\r\n', this.#part)
      if (headersEnd < 0) return undefined
      const content = headersEnd + 4
      const { name, fileName } = readDisposition(this.#bytes.toString('latin1', this.#part + 2, headersEnd))
      if (name === 'file') {
        return { fields: this.#fields, fileName, headBytes: content, rest: this.#bytes.subarray(content) }
      }
      // From the blank line on: an empty value's delimiter shares its CRLF with nothing.
      const from = Math.max(content, this.#searched)
      const end = this.#bytes.indexOf(this.#delimiter, from)
      if (end < 0) {
        this.#searched = Math.max(content, this.#bytes.length - this.#delimiter.length)
        return undefined
      }
      this.#addField(name, this.#bytes.toString('latin1', content, end))
      this.#part = end + this.#delimiter.length
      this.#searched = 0
    }
  }

  /** The form begins with its delimiter, whose CRLF may be left out there. */
  #takeFirstDelimiter(): boolean {
    const from = this.#bytes[0] === this.#delimiter[0] ? 0 : 2
    const wanted = this.#delimiter.subarray(from)
    const have = this.#bytes.subarray(0, wanted.length)
    if (!wanted.subarray(0, have.length).equals(have)) throw malformed()
    if (have.length < wanted.length) return false
    this.#part = wanted.length
    return true
  }

  #addField(name: string, value: string): void {
    const before = name.startsWith('x-amz-meta-') ? this.#fields.get(name) : undefined
    this.#fields.set(name, before === undefined ? value : `${before},${value}`)
  }
}

function malformed(): S3Error {
  return new S3Error('MalformedPOSTRequest')
}

interface Disposition {
  /** Lower case. */
  readonly name: string
  readonly fileName: string
}

/** Name and file name of a part, from the lines of its header. */
function readDisposition(lines: string): Disposition {
  const header = lines
    .split('\r\n')
    .map((line) => /^content-disposition:\s*form-data\s*;(.*)$/i.exec(line)?.[1])
    .find((rest) => rest !== undefined)
  if (header === undefined) throw malformed()
  const parameters = new Map<string, string>()
  // A backslash escapes quotes only: some browsers send a whole Windows path.
  // The lookbehind has a name begin at its beginning only: many letters without an equals sign cost their square else.
  for (const match of header.matchAll(/(?<![a-z*])([a-z*]+)\s*=\s*(?:"((?:\\"|[^"])*)"|([^\s;"]+))/gi)) {
    parameters.set((match[1] ?? '').toLowerCase(), match[2]?.replaceAll('\\"', '"') ?? match[3] ?? '')
  }
  const name = parameters.get('name')?.toLowerCase()
  if (name === undefined || name === '') throw malformed()
  return { name, fileName: baseName(parameters.get('filename') ?? extended(parameters.get('filename*'))) }
}

/** S3 uses what follows the last slash or backslash. */
function baseName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}

/** `filename*` of RFC 5987, which RFC 7578 forbids and older Python libraries send: `utf-8''na%C3%AFve`. */
function extended(value = ''): string {
  const match = /^utf-8'[^']*'(.*)$/i.exec(value)
  return (match?.[1] ?? '').replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
