/**
 * The file of a browser's form, as it streams by: everything up to the delimiter, without copying or holding more than the
 * few bytes at a piece's end that may begin it. What follows the delimiter's line is ignored, as S3 does.
 */
import { S3Error } from '../errors/s3-error.ts'

const CR = 13

export class FilePart {
  readonly #delimiter: Buffer
  /** The end of the last piece, which may begin the delimiter. */
  #held = Buffer.alloc(0)
  /** What followed the delimiter so far, until it is clear that it is one. */
  #tail: string | undefined
  #ended = false

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  /** True once the delimiter was seen whole. */
  get ended(): boolean {
    return this.#ended
  }

  /** The bytes of the file in the next piece; views of it, but at its edges. @throws {S3Error} MalformedPOSTRequest */
  push(piece: Uint8Array): Uint8Array {
    if (this.#ended) return new Uint8Array(0)
    if (this.#tail !== undefined) {
      this.#judgeTail(piece)
      return new Uint8Array(0)
    }
    const view = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
    const bytes = this.#held.length === 0 ? view : Buffer.concat([this.#held, view])
    this.#held = Buffer.alloc(0)
    const at = bytes.indexOf(this.#delimiter)
    if (at >= 0) {
      this.#tail = ''
      this.#judgeTail(bytes.subarray(at + this.#delimiter.length))
      return bytes.subarray(0, at)
    }
    const held = this.#beginning(bytes)
    // A copy: the piece is not ours once this returns.
    if (held < bytes.length) this.#held = Buffer.from(bytes.subarray(held))
    return bytes.subarray(0, held)
  }

  /** The body is over. @throws {S3Error} MalformedPOSTRequest unless the file was ended by its delimiter */
  end(): void {
    if (!this.#ended) throw new S3Error('MalformedPOSTRequest')
  }

  /** Where a delimiter may begin that the bytes do not hold whole; their length when nowhere. */
  #beginning(bytes: Buffer): number {
    const room = this.#delimiter.length - 1
    // A boundary has no CR, so only the last one can begin a delimiter.
    const cr = bytes.lastIndexOf(CR)
    if (cr < 0 || bytes.length - cr > room) return bytes.length
    const begun = bytes.subarray(cr)
    return this.#delimiter.subarray(0, begun.length).equals(begun) ? cr : bytes.length
  }

  /**
   * A delimiter goes on with `--` or ends its line. A file that holds the boundary with something else behind it was cut
   * by a client that chose a bad boundary: where it ends cannot be known.
   */
  #judgeTail(bytes: Uint8Array): void {
    this.#tail += Buffer.from(bytes.subarray(0, 2)).toString('latin1')
    const tail = this.#tail ?? ''
    if (tail.length < 2) return
    if (!tail.startsWith('--') && !tail.startsWith('\r\n')) throw new S3Error('MalformedPOSTRequest')
    this.#ended = true
  }
}
