/**
 * Decodes aws-chunked bodies, piece by piece, without copying data or holding a chunk:
 *
 *     body    = *chunk last *trailer [signature] CRLF
 *     chunk   = size [";chunk-signature=" hex64] CRLF data CRLF
 *     last    = "0" [";chunk-signature=" hex64] CRLF
 *     trailer = name ":" value CRLF
 *
 * Data is handed on as it comes and its chunk's signature is judged when the chunk ends, so a consumer may act on the
 * data only after `end` has accepted the body.
 * Sources: as of chunk-signing.ts; refusals as S3 answers them.
 */
import { CHUNK_BYTES_MIN, CHUNK_HEADER_BYTES_MAX, TRAILER_BYTES_MAX } from '../limits.ts'
import { ChunkSignatures, type ChunkSigning } from './chunk-signing.ts'
import type { SigningDigests } from './digests.ts'
import { refuse, type SigningFailure } from './failure.ts'

export interface ChunkedOptions {
  /** What `x-amz-decoded-content-length` promises. */
  readonly decodedBytes: number
  /** Present: every chunk must be signed, continuing from this. */
  readonly signing?: ChunkSigning
  /** Whether the trailers must be signed too; only with `signing`. */
  readonly signedTrailer: boolean
  /** The lower-case names that `x-amz-trailer` announces: all must come, and no others. */
  readonly trailers: readonly string[]
  readonly digests: SigningDigests
}

type State = 'header' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done'

const CR = 13
const LF = 10
const TERMINATED = 'The request body terminated unexpectedly'
const TRAILER_SIGNATURE = 'x-amz-trailer-signature'

export class ChunkedDecoder {
  readonly #options: ChunkedOptions
  readonly #signatures: ChunkSignatures | undefined
  readonly #trailers = new Map<string, string>()
  #state: State = 'header'
  #failure: SigningFailure | undefined
  /** The beginning of a line whose end has not come yet. */
  #line = ''
  #trailerBytes = 0
  #trailerSignature: string | undefined
  /** The last trailer ended in a bare LF. */
  #bareLf = false
  #received = 0
  /** Of the chunk under way: its number from 1, its size, and what is still to come. */
  #chunk = 0
  #chunkBytes = 0
  #left = 0
  #chunkSignature = ''
  #hash: ReturnType<SigningDigests['sha256Stream']> | undefined
  #dataSha256: Uint8Array | undefined

  constructor(options: ChunkedOptions) {
    this.#options = options
    const { digests, signing } = options
    this.#signatures = signing === undefined ? undefined : new ChunkSignatures(digests, signing)
  }

  /** The trailers by lower-case name, once `end` has accepted the body; without the signature. */
  get trailers(): ReadonlyMap<string, string> {
    return this.#trailers
  }

  /**
   * Takes the next piece of the body, and appends to `out` views of it that are data of the object. A refusal is
   * final: every later call repeats it.
   */
  push(bytes: Uint8Array, out: Uint8Array[]): SigningFailure | undefined {
    for (let at = 0; at < bytes.length && this.#failure === undefined;) {
      at = this.#step(bytes, at, out)
    }
    return this.#failure
  }

  /** The body is over: undefined when it was whole and genuine. */
  end(): SigningFailure | undefined {
    if (this.#failure === undefined && this.#state !== 'done') this.#fail('IncompleteBody', TERMINATED)
    return this.#failure
  }

  /** Consumes at least one byte from `at` on; returns where to go on. */
  #step(bytes: Uint8Array, at: number, out: Uint8Array[]): number {
    switch (this.#state) {
      case 'data': {
        const data = at === 0 && bytes.length <= this.#left ? bytes : bytes.subarray(at, at + this.#left)
        this.#hashData(data)
        out.push(data)
        this.#left -= data.length
        if (this.#left === 0) this.#state = 'data-cr'
        return at + data.length
      }
      case 'data-cr':
        if (bytes[at] !== CR) this.#fail('IncompleteBody', TERMINATED)
        this.#state = 'data-lf'
        return at + 1
      case 'data-lf':
        if (bytes[at] !== LF) this.#fail('IncompleteBody', TERMINATED)
        this.#state = 'header'
        this.#judgeChunk()
        return at + 1
      case 'done':
        this.#fail('IncompleteBody')
        return bytes.length
      case 'header':
        return this.#collectLine(bytes, at, CHUNK_HEADER_BYTES_MAX)
      case 'trailer':
        return this.#collectLine(bytes, at, TRAILER_BYTES_MAX)
    }
  }

  /** Adds to the line under way, and takes the line when its LF is there. */
  #collectLine(bytes: Uint8Array, at: number, maxBytes: number): number {
    const room = bytes.subarray(at, at + maxBytes - this.#line.length)
    const lf = room.indexOf(LF)
    const text = lf < 0 ? room : room.subarray(0, lf)
    this.#line += String.fromCharCode(...text)
    if (lf < 0) {
      if (this.#line.length >= maxBytes) this.#fail('IncompleteBody', TERMINATED)
      return at + text.length
    }
    const line = this.#line
    this.#line = ''
    if (this.#state === 'header') this.#takeHeader(line)
    else this.#takeTrailer(line)
    return at + lf + 1
  }

  #takeHeader(line: string): void {
    const match = /^([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-fA-F]{64}))?\r$/.exec(line)
    const signed = match?.[2] !== undefined
    if (match === null || signed !== (this.#signatures !== undefined)) {
      this.#fail('IncompleteBody', TERMINATED)
      return
    }
    const size = Number.parseInt(match[1] ?? '', 16)
    if (size > 0 && this.#chunk > 0 && this.#chunkBytes < CHUNK_BYTES_MIN) {
      const fields = { Chunk: String(this.#chunk), BadChunkSize: String(this.#chunkBytes) }
      this.#failure = refuse('InvalidChunkSizeError', undefined, fields)
      return
    }
    const missing = this.#options.decodedBytes - this.#received
    if (size > missing || (size === 0 && missing > 0)) {
      this.#fail('IncompleteBody')
      return
    }
    this.#chunk++
    this.#chunkBytes = size
    this.#left = size
    this.#received += size
    this.#chunkSignature = match[2] ?? ''
    this.#state = size > 0 ? 'data' : 'trailer'
    if (size > 0) return
    this.#hashData(new Uint8Array(0))
    this.#judgeChunk()
  }

  /** Takes data of the chunk under way into its hash, before `#left` counts it off. */
  #hashData(data: Uint8Array): void {
    if (this.#signatures === undefined) return
    const { digests } = this.#options
    if (data.length === this.#chunkBytes) {
      // The whole chunk at once, the usual case for small ones: a running hash would cost as much as the hashing.
      this.#dataSha256 = digests.sha256(data)
      return
    }
    this.#hash ??= digests.sha256Stream()
    this.#hash.update(data)
    if (data.length < this.#left) return
    this.#dataSha256 = this.#hash.digest()
    this.#hash = undefined
  }

  #judgeChunk(): void {
    if (this.#failure !== undefined || this.#dataSha256 === undefined) return
    this.#failure = this.#signatures?.chunk(this.#dataSha256, this.#chunkSignature)
  }

  #takeTrailer(line: string): void {
    const ended = line.endsWith('\r')
    const text = ended ? line.slice(0, -1) : line
    this.#trailerBytes += line.length + 1
    if (this.#trailerBytes > TRAILER_BYTES_MAX) {
      this.#fail('MalformedTrailerError')
      return
    }
    if (text === '') {
      // Some clients (minio-go) end a trailer with LF CR LF, and S3 takes it.
      const terminatesTrailer = this.#bareLf
      this.#bareLf = false
      if (!terminatesTrailer) this.#finish(ended)
      return
    }
    this.#bareLf = !ended
    const colon = text.indexOf(':')
    const name = trimBlanks(text.slice(0, Math.max(colon, 0))).toLowerCase()
    const value = trimBlanks(text.slice(colon + 1))
    if (name === TRAILER_SIGNATURE && this.#options.signedTrailer && this.#trailerSignature === undefined) {
      this.#trailerSignature = value
    } else if (
      !this.#options.trailers.includes(name) ||
      this.#trailers.has(name) ||
      this.#trailerSignature !== undefined
    ) {
      this.#fail('MalformedTrailerError')
    } else {
      this.#trailers.set(name, value)
    }
  }

  #finish(lineEnded: boolean): void {
    const { trailers, signedTrailer } = this.#options
    if (!lineEnded) {
      this.#fail('IncompleteBody', TERMINATED)
    } else if (trailers.some((name) => !this.#trailers.has(name))) {
      this.#fail('MalformedTrailerError')
    } else if (signedTrailer) {
      const lines = Array.from(this.#trailers, ([name, value]) => `${name}:${value}\n`).join('')
      if (!/^[0-9a-fA-F]{64}$/.test(this.#trailerSignature ?? '')) this.#fail('IncompleteBody', TERMINATED)
      else this.#failure = this.#signatures?.trailer(lines, this.#trailerSignature ?? '')
    }
    this.#state = 'done'
  }

  #fail(code: 'IncompleteBody' | 'MalformedTrailerError', message?: string): void {
    this.#failure ??= refuse(code, message)
  }
}

/** Without the blanks of RFC 9110 around it; `trim` would take form feeds and more. */
function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}
