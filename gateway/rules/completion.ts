/**
 * What completing a multipart upload makes of its parts, and every reason against it that does not depend on the moment
 * of the commit. The order of the checks is that of the service, as recorded by test suites that run against it
 * (OpenStack Swift's s3api tests of object checksums, LocalStack's snapshots, Versity's integration suite).
 *
 * One thing is laxer than S3: part numbers need not be consecutive where the upload has a checksum. S3 answers that
 * with a 500 (User Guide, "Checking object integrity", "Using part-level checksums for multipart uploads").
 */
import { checksumTraits, type ChecksumAlgorithm, type ChecksumType } from '../../core/checksum/algorithms.ts'
import { fromBase64, toBase64 } from '../../core/checksum/base64.ts'
import { isChecksumValue } from '../../core/checksum/headers.ts'
import { compositeChecksum, fullObjectChecksum, multipartEtag } from '../../core/checksum/multipart.ts'
import { PART_BYTES_MIN } from '../../core/limits.ts'
import { planCompletion, type CompletionRefusal, type StoredPart } from '../../core/records/completion.ts'
import { checksumOf, md5Of } from '../../runtime/crypto/checksum.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { NamedPart } from './completed-parts.ts'
import { bareEntityTag } from './conditions.ts'

export interface CompletionRequest {
  readonly uploadId: string
  readonly named: readonly NamedPart[]
  /** The checksum of the upload; `asked` is false where it is S3's default and not the client's wish. */
  readonly checksum: {
    readonly algorithm: ChecksumAlgorithm
    readonly type: ChecksumType
    readonly asked: boolean
  }
  /** From `x-amz-checksum-*`: what the client expects the object's checksum to be. */
  readonly expected: readonly { readonly algorithm: ChecksumAlgorithm; readonly value: string }[]
  /** From `x-amz-checksum-type`. */
  readonly expectedType: ChecksumType | undefined
  /** From `x-amz-mp-object-size`. */
  readonly expectedSize: number | undefined
}

export interface CompletedObject {
  /** Without quotes. */
  readonly etag: string
  readonly checksum: { readonly algorithm: string; readonly value: string; readonly type: string }
  /** Every named part with the checksum it was stored with, which the commit holds against what is there then. */
  readonly parts: readonly {
    readonly partNumber: number
    readonly etag: string
    readonly checksums: readonly { readonly algorithm: string; readonly value: string }[]
  }[]
}

/**
 * @param stored all parts of the upload
 * @throws {S3Error} InvalidRequest, InvalidPartOrder, BadDigest, InvalidPart, EntityTooSmall
 */
export function completeParts(request: CompletionRequest, stored: readonly StoredPart[]): CompletedObject {
  const { named, checksum } = request
  checkExpectations(request)
  if (named.some(({ partNumber }, i) => partNumber <= (named[i - 1]?.partNumber ?? 0))) {
    throw new S3Error('InvalidPartOrder', { fields: { UploadId: request.uploadId } })
  }
  if (checksum.asked) checkPartAlgorithms(request)
  const composite = checksum.type === 'COMPOSITE' ? compositeOf(request) : undefined
  const { parts, size } = matchParts(request, stored)
  checkSize(request.expectedSize, size)
  const value = composite ?? fullObjectOf(request, parts)
  return {
    etag: etagOf(parts.map(({ etag }) => etag)),
    checksum: { algorithm: checksum.algorithm, value, type: checksum.type },
    parts: parts.map(({ partNumber, etag, checksums }) => ({
      partNumber,
      etag,
      checksums: checksums.map((one) => ({ algorithm: one.algorithm, value: one.value })),
    })),
  }
}

/** The ETag, without quotes, of an object of parts with these ETags. */
export function etagOf(partEtags: readonly string[]): string {
  return bareEntityTag(
    multipartEtag(
      partEtags.map((etag) => Buffer.from(etag, 'hex')),
      md5Of,
    ),
  )
}

/** What the headers say about the object must fit the upload before any part is looked at. */
function checkExpectations({ checksum, expected, expectedType, expectedSize }: CompletionRequest): void {
  if (expectedType !== undefined && (!checksum.asked || expectedType !== checksum.type)) {
    throw new S3Error('InvalidRequest', {
      message: `The upload was created using the ${checksum.asked ? checksum.type : 'null'} checksum mode. The complete request must use the same checksum mode.`,
    })
  }
  if (expectedSize !== undefined && expectedSize < 0) {
    throw new S3Error('InvalidRequest', {
      message: `Value for x-amz-mp-object-size header is less than zero: '${expectedSize}'`,
    })
  }
  for (const { algorithm, value } of expected) {
    // A composite one may carry the number of parts.
    // Passed over, see checkExpected.
    if (!checksum.asked && algorithm !== checksum.algorithm) continue
    const bare = expectedType === 'FULL_OBJECT' ? value : value.replace(/-\d{1,5}$/, '')
    if (isChecksumValue(algorithm, bare)) continue
    throw new S3Error('InvalidRequest', {
      message: `Value for ${checksumTraits[algorithm].header} header is invalid.`,
    })
  }
  const [first, second] = expected
  if (second !== undefined) {
    throw new S3Error('InvalidRequest', {
      message: 'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
    })
  }
  if (checksum.type === 'COMPOSITE' && first !== undefined && first.algorithm !== checksum.algorithm) {
    throw new S3Error('InvalidRequest', {
      message: `Checksum Type mismatch occurred, expected checksum Type: ${checksum.algorithm.toLowerCase()}, actual checksum Type: ${first.algorithm.toLowerCase()}`,
    })
  }
}

/**
 * A part may only be named with a checksum of the upload's algorithm, and must be where the object's is made of the parts'
 * as named.
 */
function checkPartAlgorithms({ named, checksum: { algorithm, type } }: CompletionRequest): void {
  for (const { partNumber, checksum } of named) {
    if (checksum === undefined) {
      if (type === 'FULL_OBJECT') continue
      throw new S3Error('InvalidRequest', {
        message: `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${partNumber} in the request.`,
      })
    }
    if (checksum.algorithm === algorithm) continue
    throw new S3Error('BadDigest', {
      message: `The ${checksum.algorithm.toLowerCase()} you specified for part ${partNumber} did not match what we received.`,
    })
  }
}

/** The composite checksum of the parts as named, which S3 compares before it looks whether they are there. */
function compositeOf(request: CompletionRequest): string {
  const { algorithm } = request.checksum
  const raw = request.named.map(({ partNumber, checksum }) => {
    if (checksum === undefined) throw new Error(`part ${partNumber} has no checksum`)
    return decoded(checksum.value)
  })
  const value = compositeChecksum(raw, (data) => checksumOf(algorithm, data))
  checkExpected(request, (wanted) => wanted === value || wanted === value.replace(/-\d+$/, ''))
  return value
}

/** Only the default may be expected without having been asked for: S3 passes over any other algorithm's value. */
function checkExpected({ checksum, expected }: CompletionRequest, fits: (value: string) => boolean): void {
  const [wanted] = expected
  if (wanted === undefined) return
  const same = wanted.algorithm === checksum.algorithm
  if (same ? fits(wanted.value) : !checksum.asked) return
  throw new S3Error('BadDigest', {
    message: `The ${checksum.algorithm.toLowerCase()} you specified did not match the calculated checksum.`,
  })
}

function matchParts(
  { named, uploadId }: CompletionRequest,
  stored: readonly StoredPart[],
): { readonly parts: readonly StoredPart[]; readonly size: bigint } {
  const plan = planCompletion(
    named.map(({ partNumber, etag, checksum }) => ({
      partNumber,
      etag,
      checksums: checksum === undefined ? [] : [checksum],
    })),
    stored,
    { partBytesMin: BigInt(PART_BYTES_MIN), pageParts: named.length },
  )
  if (plan.refused === undefined) return { parts: plan.pages.flat(), size: plan.size }
  throw refusalError(plan, uploadId)
}

function refusalError(plan: CompletionRefusal, UploadId: string): S3Error {
  if (plan.refused === 'part-order') return new S3Error('InvalidPartOrder', { fields: { UploadId } })
  const part = { PartNumber: String(plan.partNumber), ETag: plan.etag }
  if (plan.refused === 'invalid-part') return new S3Error('InvalidPart', { fields: { UploadId, ...part } })
  return new S3Error('EntityTooSmall', {
    fields: { ProposedSize: String(plan.size), MinSizeAllowed: String(PART_BYTES_MIN), ...part },
  })
}

function checkSize(expected: number | undefined, size: bigint): void {
  if (expected === undefined || BigInt(expected) === size) return
  throw new S3Error('InvalidRequest', {
    message: `The provided 'x-amz-mp-object-size' header value ${expected} does not match what was computed: ${size}`,
  })
}

function fullObjectOf(request: CompletionRequest, parts: readonly StoredPart[]): string {
  const { algorithm } = request.checksum
  const pieces = parts.map(({ partNumber, size, checksums }) => {
    const stored = checksums.find((one) => one.algorithm === algorithm)
    if (stored === undefined) throw new Error(`part ${partNumber} was stored without its ${algorithm}`)
    return { crc: decoded(stored.value), bytes: Number(size) }
  })
  const combined = fullObjectChecksum(algorithm, pieces)
  if (combined === undefined) throw new Error(`an upload with a ${algorithm} of the full object`)
  const value = toBase64(combined)
  checkExpected(request, (wanted) => wanted === value)
  return value
}

function decoded(value: string): Uint8Array {
  const bytes = fromBase64(value)
  if (bytes === undefined) throw new Error('a checksum that was checked is not base64')
  return bytes
}
