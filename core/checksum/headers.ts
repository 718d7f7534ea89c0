/**
 * What a request declares about the checksums of its body.
 * Sources: S3 API, PutObject (headers `Content-MD5`, `x-amz-checksum-*`, `x-amz-trailer`,
 * `x-amz-sdk-checksum-algorithm`); messages as the service sends them.
 */
import { headerValue, type HeaderFields } from '../signing/request.ts'
import {
  checksumAlgorithmNamed,
  checksumAlgorithmOfHeader,
  checksumAlgorithms,
  checksumTraits,
  type ChecksumAlgorithm,
} from './algorithms.ts'
import { fromBase64 } from './base64.ts'

/** The checksum a body must have: its value came ahead in a header, or will come in the trailer. */
export interface DeclaredChecksum {
  readonly algorithm: ChecksumAlgorithm
  /** Canonical base64; absent when it comes in the trailer. */
  readonly value?: string
}

export interface ChecksumDeclaration {
  readonly ok: true
  readonly checksum?: DeclaredChecksum
  /** Canonical base64 of sixteen bytes. */
  readonly contentMd5?: string
  /** Lower-case names of the trailers announced. */
  readonly trailers: readonly string[]
}

export interface ChecksumFailure {
  readonly ok: false
  readonly code: 'InvalidDigest' | 'InvalidRequest'
  readonly message?: string
  readonly fields: Readonly<Record<string, string>>
}

/** `x-amz-checksum-` headers that say something else than a value. */
const notValues = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-mode', 'x-amz-checksum-type'])

/** Reads the declarations. */
export function readChecksumHeaders(headers: HeaderFields): ChecksumDeclaration | ChecksumFailure {
  const contentMd5 = headerValue(headers, 'content-md5')
  if (contentMd5 !== undefined && fromBase64(contentMd5)?.length !== checksumTraits.MD5.digestBytes) {
    return { ok: false, code: 'InvalidDigest', fields: { 'Content-MD5': contentMd5 } }
  }
  const names = Object.keys(headers).filter(
    (name) => name.startsWith('x-amz-checksum-') && !notValues.has(name),
  )
  const trailers = listOf(headerValue(headers, 'x-amz-trailer'))
  if (names.some((name) => checksumAlgorithmOfHeader(name) === undefined)) {
    return invalid('The algorithm type you specified in x-amz-checksum- header is invalid.')
  }
  if (trailers.some((name) => checksumAlgorithmOfHeader(name) === undefined)) {
    return invalid('The value specified in the x-amz-trailer header is not supported')
  }
  if (names.length + trailers.length > 1) {
    return invalid('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.')
  }
  const header = names[0] ?? trailers[0]
  const algorithm = header === undefined ? undefined : checksumAlgorithmOfHeader(header)
  const value = names[0] === undefined ? undefined : headerValue(headers, names[0])
  const failure =
    checkSdkAlgorithm(headerValue(headers, 'x-amz-sdk-checksum-algorithm'), algorithm) ??
    (algorithm === undefined ? undefined : checkValue(algorithm, value))
  if (failure !== undefined) return failure
  return {
    ok: true,
    trailers,
    ...(contentMd5 === undefined ? {} : { contentMd5 }),
    ...(algorithm === undefined
      ? {}
      : { checksum: value === undefined ? { algorithm } : { algorithm, value } }),
  }
}

/** Whether a text is a value of that algorithm as S3 writes it: canonical base64 of the right size. */
export function isChecksumValue(algorithm: ChecksumAlgorithm, text: string): boolean {
  return fromBase64(text)?.length === checksumTraits[algorithm].digestBytes
}

function checkValue(algorithm: ChecksumAlgorithm, value: string | undefined): ChecksumFailure | undefined {
  if (value === undefined || isChecksumValue(algorithm, value)) return undefined
  return invalid(`Value for ${checksumTraits[algorithm].header} header is invalid.`)
}

/** What the client's library says it used must be what was sent. */
function checkSdkAlgorithm(
  name: string | undefined,
  sent: ChecksumAlgorithm | undefined,
): ChecksumFailure | undefined {
  if (name === undefined) return undefined
  const algorithm = checksumAlgorithmNamed(name)
  if (algorithm === undefined) {
    const valid = checksumAlgorithms.toSorted().join(', ')
    return invalid(
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${valid}]`,
    )
  }
  if (sent === undefined) {
    return invalid(
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    )
  }
  return sent === algorithm ? undefined : invalid('Value for x-amz-sdk-checksum-algorithm header is invalid.')
}

function listOf(value: string | undefined): readonly string[] {
  return (value ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
}

function invalid(message: string): ChecksumFailure {
  return { ok: false, code: 'InvalidRequest', message, fields: {} }
}
