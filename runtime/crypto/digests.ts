/** SHA-256 and HMAC over node:crypto, as the signing code asks for them. */
import { createHash, createHmac, hash } from 'node:crypto'
import type { SigningDigests } from '../../core/signing/digests.ts'

/** The adapter of `SigningDigests`. Strings are byte strings: one character, one byte. */
export const nodeDigests: SigningDigests = {
  sha256: (data) => hash('sha256', bytesOf(data), 'buffer'),
  hmacSha256: (key, data) => createHmac('sha256', bytesOf(key)).update(bytesOf(data)).digest(),
  sha256Stream: () => {
    const running = createHash('sha256')
    return { update: (bytes) => void running.update(bytes), digest: () => running.digest() }
  },
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}
