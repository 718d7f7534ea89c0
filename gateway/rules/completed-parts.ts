/**
 * The document of CompleteMultipartUpload, as far as it can be judged by itself.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
import { checksumAlgorithms, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { isChecksumValue } from '../../core/checksum/headers.ts'
import { PART_NUMBER_MAX } from '../../core/limits.ts'
import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import { bareEntityTag } from './conditions.ts'

/** A part as the client names it. */
export interface NamedPart {
  readonly partNumber: number
  /** Without quotes. */
  readonly etag: string
  /** At most one, of the form that its algorithm has. */
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string }
}

/** The members of an input that hold checksums. */
export type GivenChecksums = { readonly [Name in `Checksum${ChecksumAlgorithm}`]?: string | undefined }

/** The checksums that an input gives, in alphabetical order of algorithm. */
export function givenChecksums(
  input: GivenChecksums,
): readonly { readonly algorithm: ChecksumAlgorithm; readonly value: string }[] {
  return checksumAlgorithms.flatMap((algorithm) => {
    const value = input[`Checksum${algorithm}`]
    return value === undefined ? [] : [{ algorithm, value }]
  })
}

/** The SDK's `CompletedPart`. */
interface Member extends GivenChecksums {
  readonly PartNumber?: number | undefined
  readonly ETag?: string | undefined
}

/**
 * The parts in the order of the document.
 * @throws {S3Error} InvalidRequest without a document, MalformedXML for one without parts, with more than an upload can
 *   have, or with a part that lacks number or ETag, InvalidArgument
 */
export function readNamedParts(
  document: { readonly Parts?: readonly Member[] | undefined } | undefined,
): readonly NamedPart[] {
  if (document === undefined) {
    throw new S3Error('InvalidRequest', { message: 'You must specify at least one part' })
  }
  const parts = document.Parts ?? []
  if (parts.length === 0 || parts.length > PART_NUMBER_MAX) throw new S3Error('MalformedXML')
  return parts.map(readPart)
}

function readPart(part: Member): NamedPart {
  const { PartNumber: partNumber, ETag } = part
  if (partNumber === undefined || ETag === undefined) throw new S3Error('MalformedXML')
  if (partNumber < 1) throw invalidArgument('PartNumber', String(partNumber), 'PartNumber must be >= 1')
  const etag = bareEntityTag(ETag)
  const given = givenChecksums(part)
  const [checksum] = given
  if (checksum === undefined) return { partNumber, etag }
  if (given.length > 1 || !isChecksumValue(checksum.algorithm, checksum.value)) {
    const value = given.map((one) => `${one.algorithm}:${one.value};`).join('')
    throw invalidArgument('Checksum', value, 'Invalid Base64 or multiple checksums present in request')
  }
  return { partNumber, etag, checksum }
}
