/**
 * Continuation tokens of listings: the name after which the next page begins. Opaque to clients, and kept nowhere, so
 * that any gateway can go on at any time, after a restart as well. The checksum tells our tokens from other text.
 */
import { crc32c } from '../../runtime/crypto/crc32c.ts'
import { S3Error } from '../errors/s3-error.ts'

/** First byte of a token: the layout of the rest, so that it can change. */
const LAYOUT = 1
const HEAD_BYTES = 5

/** Layout, CRC32C of the name's UTF-8 (big endian), and the name; base64url. */
export function formatContinuationToken(after: string): string {
  const name = Buffer.from(after)
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt8(LAYOUT)
  head.writeUInt32BE(crc32c(name), 1)
  return Buffer.concat([head, name]).toString('base64url')
}

/** @throws {S3Error} InvalidArgument for anything that `formatContinuationToken` has not made, the empty text included */
export function parseContinuationToken(token: string): string {
  const bytes = Buffer.from(token, 'base64url')
  const name = bytes.subarray(HEAD_BYTES)
  const after = name.toString()
  if (
    bytes.length <= HEAD_BYTES ||
    bytes.readUInt8() !== LAYOUT ||
    bytes.readUInt32BE(1) !== crc32c(name) ||
    formatContinuationToken(after) !== token
  ) {
    throw new S3Error('InvalidArgument', {
      message: 'The continuation token provided is incorrect',
      fields: { ArgumentName: 'continuation-token' },
    })
  }
  return after
}
