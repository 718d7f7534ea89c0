/**
 * The signatures of aws-chunked bodies: each chunk's signature covers the one before, back to the request's own.
 * Sources: S3, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks" and
 * "… Including Trailing Headers (Chunked Upload)".
 */
import type { SigningDigests } from './digests.ts'
import { equalInConstantTime, toHex } from './encoding.ts'
import { refuse, type SigningFailure } from './failure.ts'
import { mismatchFields } from './verify.ts'

/** What the first chunk's signature continues from. Holds a signing key: never log it. */
export interface ChunkSigning {
  readonly accessKey: string
  readonly signingKey: Uint8Array
  /** Of the request, `yyyyMMdd'T'HHmmss'Z'`. */
  readonly timestamp: string
  /** Of the credential, as in the string to sign. */
  readonly scope: string
  /** The request's signature, lower-case hex. */
  readonly seedSignature: string
}

/** SHA-256 of nothing, in hex: every chunk's string to sign holds it, for headers a chunk might have one day. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/** The chain of signatures of one body. */
export class ChunkSignatures {
  readonly #digests: SigningDigests
  readonly #signing: ChunkSigning
  #previous: string

  constructor(digests: SigningDigests, signing: ChunkSigning) {
    this.#digests = digests
    this.#signing = signing
    this.#previous = signing.seedSignature
  }

  /** Judges the next chunk by its data's SHA-256 and its signature in hex. */
  chunk(dataSha256: Uint8Array, signature: string): SigningFailure | undefined {
    return this.#judge('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, toHex(dataSha256)], signature)
  }

  /** Judges the trailers, as lines `name:value\n` in the order sent. */
  trailer(lines: string, signature: string): SigningFailure | undefined {
    return this.#judge('AWS4-HMAC-SHA256-TRAILER', [toHex(this.#digests.sha256(lines))], signature)
  }

  #judge(algorithm: string, hashes: readonly string[], signature: string): SigningFailure | undefined {
    const { timestamp, scope, signingKey, accessKey } = this.#signing
    const toSign = [algorithm, timestamp, scope, this.#previous, ...hashes].join('\n')
    const expected = toHex(this.#digests.hmacSha256(signingKey, toSign))
    this.#previous = expected
    if (equalInConstantTime(signature.toLowerCase(), expected)) return undefined
    return refuse('SignatureDoesNotMatch', undefined, mismatchFields(accessKey, toSign, signature))
  }
}
