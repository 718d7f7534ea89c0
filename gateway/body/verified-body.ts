/**
 * The body of a request as a stream of its data: framing taken off, length, signatures and digests held against what
 * the request promised. Bytes are views of what the connection delivered; nothing is copied or held back.
 *
 * A consumer must not make anything last before the stream has ended and `verify` (or, when no digest is delegated,
 * the end of the stream itself) has accepted the body.
 */
import { checksumTraits, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { isChecksumValue } from '../../core/checksum/headers.ts'
import type { ChunkSigning } from '../../core/signing/chunk-signing.ts'
import { ChunkedDecoder } from '../../core/signing/chunked.ts'
import type { SigningDigests } from '../../core/signing/digests.ts'
import { toHex } from '../../core/signing/encoding.ts'
import type { PayloadMode } from '../../core/signing/payload.ts'
import type { HeaderFields } from '../../core/signing/request.ts'
import { createChecksum, type RunningChecksum } from '../../runtime/crypto/checksum.ts'
import { refusalError } from '../authenticate/refusal.ts'
import { S3Error } from '../errors/s3-error.ts'
import { readBodyDeclaration, type BodyDeclaration } from './declaration.ts'

export interface BodyOptions {
  readonly headers: HeaderFields
  /** From authentication: how the body is framed and guarded. */
  readonly payload: PayloadMode
  /** From authentication; required when `payload` is signed chunks. */
  readonly chunkSigning?: ChunkSigning
  readonly digests: SigningDigests
  /** The largest data the operation takes, in bytes. */
  readonly maxBytes: number
  /** Digests the operation wants besides those the request declares, e.g. MD5 for the ETag. */
  readonly wanted?: readonly ChecksumAlgorithm[]
  /** Algorithms the consumer computes itself as the bytes pass, and gives to `verify`. */
  readonly delegable?: ReadonlySet<ChecksumAlgorithm>
  /** False when `x-amz-checksum-*` does not speak about this body, as in CompleteMultipartUpload. */
  readonly checksumsDescribeBody?: boolean
  /** Whether the request must declare `Content-MD5` or `x-amz-checksum-*`. */
  readonly checksumRequired?: boolean
  /** True when the length bounds the data instead of being its size, as of a file within a form. Plain bodies only. */
  readonly sizeIsBound?: boolean
}

/** What is known of a body that was accepted. */
export interface BodyResult {
  /** Raw digests, of the wanted and the declared algorithms. */
  readonly digests: ReadonlyMap<ChecksumAlgorithm, Uint8Array>
  /** The algorithm of the checksum that the client declared, and we confirmed. */
  readonly checksumAlgorithm?: ChecksumAlgorithm
}

/**
 * Opens the body. `raw` is read but never closed: after a refusal its owner decides whether to drain the connection
 * or drop it, and destroying it here would take the answer with it. A stalled client is the owner's to time out, by
 * failing `raw`: an S3Error passes through, any other failure is the client's hang-up (IncompleteBody).
 * @throws {S3Error} what the declaration alone refuses; see `readBodyDeclaration`
 */
export function openBody(raw: AsyncIterable<Uint8Array>, options: BodyOptions): VerifiedBody {
  const checksums = options.checksumsDescribeBody === false ? 'ignored' : 'declared'
  const declaration = readBodyDeclaration(options.headers, options.payload, checksums, options.maxBytes)
  if (options.checksumRequired === true && !declaration.contentMd5 && !declaration.checksum) {
    throw new S3Error('InvalidRequest', {
      message: 'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    })
  }
  return new VerifiedBody(raw, declaration, options)
}

export class VerifiedBody implements AsyncIterable<Uint8Array> {
  /** Bytes of data that will come; a body of any other length is refused, unless `sizeIsBound`. */
  readonly size: number
  /** True when fewer bytes than `size` may come. */
  readonly sizeIsBound: boolean
  /** Of `delegable`, those this body needs: `verify` must be given all of them. */
  readonly delegated: readonly ChecksumAlgorithm[]

  readonly #raw: AsyncIterable<Uint8Array>
  readonly #declaration: BodyDeclaration
  readonly #payload: PayloadMode
  readonly #decoder: ChunkedDecoder | undefined
  readonly #inline = new Map<ChecksumAlgorithm, RunningChecksum>()
  #state: 'new' | 'reading' | 'ended' = 'new'
  #result: BodyResult | undefined

  constructor(raw: AsyncIterable<Uint8Array>, declaration: BodyDeclaration, options: BodyOptions) {
    this.#raw = raw
    this.#declaration = declaration
    this.#payload = options.payload
    this.#decoder = declaration.chunked ? createDecoder(declaration, options) : undefined
    this.size = declaration.size
    this.sizeIsBound = options.sizeIsBound === true
    const needed = neededDigests(declaration, options)
    this.delegated = needed.filter((algorithm) => options.delegable?.has(algorithm) === true)
    for (const algorithm of needed) {
      if (!this.delegated.includes(algorithm)) this.#inline.set(algorithm, createChecksum(algorithm))
    }
  }

  /** The algorithm of the checksum that the client promises, in a header or a trailer. */
  get checksumAlgorithm(): ChecksumAlgorithm | undefined {
    return this.#declaration.checksum?.algorithm
  }

  /** The data, once. @throws {S3Error} from `next`, where the body breaks a promise */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#state !== 'new') throw new Error('a body can be read once')
    this.#state = 'reading'
    const pieces = this.#raw[Symbol.asyncIterator]()
    const views: Uint8Array[] = []
    let wireBytes = 0
    for (;;) {
      const next = await nextPiece(pieces)
      if (next.done === true) break
      wireBytes += next.value.byteLength
      if (this.#decoder === undefined) {
        if (wireBytes > this.size) throw new S3Error('IncompleteBody')
        if (next.value.byteLength > 0) views.push(next.value)
      } else {
        const refusal = this.#decoder.push(next.value, views)
        if (refusal !== undefined) throw refusalError(refusal)
      }
      for (const view of views) {
        for (const running of this.#inline.values()) running.update(view)
        yield view
      }
      views.length = 0
    }
    this.#end(wireBytes)
  }

  /**
   * Holds the digests against the promises, once the stream has ended. Needed only when `delegated` is not empty.
   * @param digests raw digests of all the data, at least of the `delegated` algorithms
   * @throws {S3Error} XAmzContentSHA256Mismatch, BadDigest, InvalidRequest
   */
  verify(digests: ReadonlyMap<ChecksumAlgorithm, Uint8Array>): BodyResult {
    if (this.#state !== 'ended') throw new Error('the body has not ended')
    this.#result ??= this.#judge(digests)
    return this.#result
  }

  /** What the accepted body was. @throws Error when it was not accepted yet */
  result(): BodyResult {
    if (this.#result === undefined) throw new Error('the body has not been accepted')
    return this.#result
  }

  #end(wireBytes: number): void {
    const { wireBytes: declared = wireBytes } = this.#declaration
    const short =
      this.#decoder === undefined ? !this.sizeIsBound && wireBytes < this.size : wireBytes !== declared
    if (short) {
      throw new S3Error('IncompleteBody')
    }
    const refusal = this.#decoder?.end()
    if (refusal !== undefined) throw refusalError(refusal)
    this.#state = 'ended'
    if (this.delegated.length === 0) this.#result = this.#judge(new Map())
  }

  #judge(delegated: ReadonlyMap<ChecksumAlgorithm, Uint8Array>): BodyResult {
    const digests = new Map<ChecksumAlgorithm, Uint8Array>()
    for (const [algorithm, running] of this.#inline) digests.set(algorithm, running.digest())
    for (const algorithm of this.delegated) {
      const digest = delegated.get(algorithm)
      if (digest === undefined) throw new Error(`the consumer gave no ${algorithm}`)
      digests.set(algorithm, digest)
    }
    const { contentMd5, checksum } = this.#declaration
    if (this.#payload.kind === 'sha256') checkPayloadHash(this.#payload.hex, digestOf(digests, 'SHA256'))
    if (contentMd5 !== undefined) checkContentMd5(contentMd5, digestOf(digests, 'MD5'))
    if (checksum === undefined) return { digests }
    const { algorithm } = checksum
    const value = checksum.value ?? trailerValue(algorithm, this.#decoder)
    if (toBase64(digestOf(digests, algorithm)) !== value) {
      const message = `The ${algorithm} you specified did not match the calculated checksum.`
      throw new S3Error('BadDigest', { message })
    }
    return { digests, checksumAlgorithm: algorithm }
  }
}

function createDecoder(declaration: BodyDeclaration, options: BodyOptions): ChunkedDecoder {
  const { payload, chunkSigning, digests } = options
  const signed = payload.kind === 'signed-chunks'
  if (signed && chunkSigning === undefined) throw new Error('signed chunks without what they continue from')
  return new ChunkedDecoder({
    decodedBytes: declaration.size,
    ...(signed && chunkSigning !== undefined ? { signing: chunkSigning } : {}),
    signedTrailer: signed && payload.trailer,
    trailers: declaration.trailers,
    digests,
  })
}

function neededDigests(
  { contentMd5, checksum }: BodyDeclaration,
  { payload, wanted = [] }: BodyOptions,
): readonly ChecksumAlgorithm[] {
  const needed = new Set(wanted)
  if (payload.kind === 'sha256') needed.add('SHA256')
  if (contentMd5 !== undefined) needed.add('MD5')
  if (checksum !== undefined) needed.add(checksum.algorithm)
  return [...needed]
}

async function nextPiece(pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
  try {
    return await pieces.next()
  } catch (cause) {
    if (cause instanceof S3Error) throw cause
    const error = new S3Error('IncompleteBody')
    error.cause = cause
    throw error
  }
}

function digestOf(
  digests: ReadonlyMap<ChecksumAlgorithm, Uint8Array>,
  algorithm: ChecksumAlgorithm,
): Uint8Array {
  const digest = digests.get(algorithm)
  if (digest === undefined) throw new Error(`no ${algorithm} was computed`)
  return digest
}

function checkPayloadHash(declared: string, computed: Uint8Array): void {
  const hex = toHex(computed)
  if (hex === declared) return
  throw new S3Error('XAmzContentSHA256Mismatch', {
    fields: { ClientComputedContentSHA256: declared, S3ComputedContentSHA256: hex },
  })
}

function checkContentMd5(declared: string, computed: Uint8Array): void {
  const calculated = toBase64(computed)
  if (calculated === declared) return
  throw new S3Error('BadDigest', { fields: { ExpectedDigest: declared, CalculatedDigest: calculated } })
}

function trailerValue(algorithm: ChecksumAlgorithm, decoder: ChunkedDecoder | undefined): string {
  const { header } = checksumTraits[algorithm]
  const value = decoder?.trailers.get(header) ?? ''
  if (isChecksumValue(algorithm, value)) return value
  throw new S3Error('InvalidRequest', { message: `Value for ${header} trailing header is invalid.` })
}
