/** ETags and checksums, taken anew of the bytes. */

import { toBase64 } from '../../core/checksum/base64.ts'
import { fullObjectChecksum, multipartEtag } from '../../core/checksum/multipart.ts'
import { defaultChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { createChecksum, md5Of } from '../../runtime/crypto/checksum.ts'
import type { BlobFact } from './fact.ts'

/** The bytes of a blob in order. @throws when they cannot be had */
export type ReadBlob = (fact: BlobFact) => AsyncIterable<Uint8Array>

export interface BlobDigests {
  readonly md5: Uint8Array
  readonly crc: Uint8Array
  readonly bytes: number
}

/** Undefined: its bytes cannot be had. */
export async function digestBlob(read: ReadBlob, fact: BlobFact): Promise<BlobDigests | undefined> {
  if (!fact.readable) return undefined
  const running = [createChecksum('MD5'), createChecksum(defaultChecksumAlgorithm)] as const
  let bytes = 0
  try {
    for await (const piece of read(fact)) {
      for (const checksum of running) checksum.update(piece)
      bytes += piece.byteLength
    }
  } catch {
    return undefined
  }
  return { md5: running[0].digest(), crc: running[1].digest(), bytes }
}

/** Of no bytes. */
export function emptyDigests(): BlobDigests {
  return {
    md5: createChecksum('MD5').digest(),
    crc: createChecksum(defaultChecksumAlgorithm).digest(),
    bytes: 0,
  }
}

export interface Verified {
  readonly etag: string
  readonly checksums: readonly {
    readonly algorithm: string
    readonly value: string
    readonly type: string
  }[]
}

/**
 * Of one blob. Without its digests the ETag is the blob's own name, with a dash: clients take such an ETag for none that says
 * what the bytes are.
 */
export function verifiedOf(fact: BlobFact | undefined, digests: BlobDigests | undefined): Verified {
  if (digests === undefined) return { etag: `rebuilt-${fact?.record.id ?? ''}`, checksums: [] }
  return { etag: Buffer.from(digests.md5).toString('hex'), checksums: [checksumOf(digests.crc)] }
}

/** Of many parts together: by the parts' own, where all of them are known. */
export function verifiedOfParts(version: string, parts: readonly (BlobDigests | undefined)[]): Verified {
  const known = parts.filter((digests) => digests !== undefined)
  if (known.length < parts.length) return { etag: `rebuilt-${version}-${parts.length}`, checksums: [] }
  const quoted = multipartEtag(
    known.map(({ md5 }) => md5),
    md5Of,
  )
  const crc = fullObjectChecksum(
    defaultChecksumAlgorithm,
    known.map(({ crc: of, bytes }) => ({ crc: of, bytes })),
  )
  return { etag: quoted.slice(1, -1), checksums: crc === undefined ? [] : [checksumOf(crc)] }
}

function checksumOf(crc: Uint8Array) {
  return { algorithm: defaultChecksumAlgorithm, value: toBase64(crc), type: 'FULL_OBJECT' }
}
