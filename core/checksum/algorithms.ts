/**
 * The checksum algorithms of S3: names, headers, sizes, and how each extends over the parts of a multipart upload.
 * Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3"; the `ChecksumAlgorithm` and
 * `ChecksumType` enums of the service model.
 */

/** A name as in `x-amz-checksum-algorithm` and in `<ChecksumAlgorithm>`. */
export type ChecksumAlgorithm =
  | 'CRC32'
  | 'CRC32C'
  | 'CRC64NVME'
  | 'MD5'
  | 'SHA1'
  | 'SHA256'
  | 'SHA512'
  | 'XXHASH3'
  | 'XXHASH64'
  | 'XXHASH128'

/** How the checksum of a multipart object comes about: over its parts' checksums, or over its bytes. */
export type ChecksumType = 'COMPOSITE' | 'FULL_OBJECT'

/** What is fixed about one algorithm. */
export interface ChecksumTraits {
  readonly algorithm: ChecksumAlgorithm
  /** Request, response and trailer header that carries the value in base64, lower case. */
  readonly header: string
  /** Bytes of the raw digest. */
  readonly digestBytes: number
  /** The types a multipart upload may ask for; the first is the default. */
  readonly multipartTypes: readonly [ChecksumType, ...ChecksumType[]]
}

function traits(
  algorithm: ChecksumAlgorithm,
  digestBytes: number,
  ...multipartTypes: [ChecksumType, ...ChecksumType[]]
): ChecksumTraits {
  return { algorithm, header: `x-amz-checksum-${algorithm.toLowerCase()}`, digestBytes, multipartTypes }
}

/** Only a CRC can be combined from parts without reading them again, so only a CRC may be FULL_OBJECT in multipart. */
export const checksumTraits: Readonly<Record<ChecksumAlgorithm, ChecksumTraits>> = {
  CRC32: traits('CRC32', 4, 'COMPOSITE', 'FULL_OBJECT'),
  CRC32C: traits('CRC32C', 4, 'COMPOSITE', 'FULL_OBJECT'),
  CRC64NVME: traits('CRC64NVME', 8, 'FULL_OBJECT'),
  MD5: traits('MD5', 16, 'COMPOSITE'),
  SHA1: traits('SHA1', 20, 'COMPOSITE'),
  SHA256: traits('SHA256', 32, 'COMPOSITE'),
  SHA512: traits('SHA512', 64, 'COMPOSITE'),
  XXHASH3: traits('XXHASH3', 8, 'COMPOSITE'),
  XXHASH64: traits('XXHASH64', 8, 'COMPOSITE'),
  XXHASH128: traits('XXHASH128', 16, 'COMPOSITE'),
}

/** What S3 computes and stores when the client names no algorithm. */
export const defaultChecksumAlgorithm: ChecksumAlgorithm = 'CRC64NVME'

const all = Object.values(checksumTraits)
const byName: ReadonlyMap<string, ChecksumAlgorithm> = new Map(all.map((t) => [t.algorithm, t.algorithm]))
const byHeader: ReadonlyMap<string, ChecksumAlgorithm> = new Map(all.map((t) => [t.header, t.algorithm]))

/** Every algorithm's name, in alphabetical order. */
export const checksumAlgorithms: readonly ChecksumAlgorithm[] = all.map((t) => t.algorithm)

/** The algorithm of that name in any letter case, as S3 reads `x-amz-sdk-checksum-algorithm`. */
export function checksumAlgorithmNamed(name: string): ChecksumAlgorithm | undefined {
  return byName.get(name.toUpperCase())
}

/** The algorithm whose value that (lower-case) header or trailer carries. */
export function checksumAlgorithmOfHeader(header: string): ChecksumAlgorithm | undefined {
  return byHeader.get(header)
}
