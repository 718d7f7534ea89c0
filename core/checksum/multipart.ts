/**
 * The checksums and the ETag of an object made of parts, from those of the parts.
 * Source: Amazon S3 User Guide, "Checking object integrity", "Using part-level checksums for multipart uploads".
 */
import type { ChecksumAlgorithm } from './algorithms.ts'
import { toBase64 } from './base64.ts'
import {
  combineCrcs,
  crc32cField,
  crc32Field,
  crc64NvmeField,
  type CrcField,
  type CrcPiece,
} from './crc-combine.ts'

/** A digest of a short input; runtime gives the function. */
export type DigestOf = (data: Uint8Array) => Uint8Array

const fields: Partial<Record<ChecksumAlgorithm, CrcField>> = {
  CRC32: crc32Field,
  CRC32C: crc32cField,
  CRC64NVME: crc64NvmeField,
}

/** The ETag of a single PUT, with its quotes: the MD5 of the bytes in hex. */
export function simpleEtag(md5: Uint8Array): string {
  return `"${hex(md5)}"`
}

/** The ETag of a multipart object, with its quotes: the MD5 of the parts' MD5s, a dash, and the number of parts. */
export function multipartEtag(partMd5s: readonly Uint8Array[], md5: DigestOf): string {
  return `"${hex(md5(concatenate(partMd5s)))}-${partMd5s.length}"`
}

/** The COMPOSITE checksum: the checksum of the parts' raw checksums in base64, a dash, and the number of parts. */
export function compositeChecksum(parts: readonly Uint8Array[], digest: DigestOf): string {
  return `${toBase64(digest(concatenate(parts)))}-${parts.length}`
}

/**
 * The FULL_OBJECT checksum (raw) of parts one after another, without reading them.
 * @returns undefined for an algorithm that cannot be combined: only the CRCs can.
 * @throws RangeError when a part's checksum has the wrong size.
 */
export function fullObjectChecksum(
  algorithm: ChecksumAlgorithm,
  parts: Iterable<CrcPiece>,
): Uint8Array | undefined {
  const field = fields[algorithm]
  return field === undefined ? undefined : combineCrcs(parts, field)
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
