/**
 * The owner of a shard as bytes, on the wire and in the records of segment files. The first byte names the format;
 * a format is never changed, a new one gets a new number.
 *
 * Format 1, little-endian:
 *
 *     0   u8   format = 1
 *     1   u8   bytes of bucket
 *     2   u16  bytes of key
 *     4   u8   bytes of version
 *     5   u8   bytes of code
 *     6   u16  part
 *     8   u64  blobBytes
 *     16  bucket, key, version, code, each in UTF-8, without separators
 *
 * Format 2, for an annotation's blob, has two more bytes before the texts and one more text:
 *
 *     16  u16  bytes of annotation
 *     18  bucket, key, version, code, annotation
 */
import { SHARD_OWNER_BYTES_MAX } from '../../core/limits.ts'
import { ShardError, type ShardOwner } from '../../proto/shard-transport.ts'

const OBJECT_FORMAT = 1
const ANNOTATION_FORMAT = 2
const OBJECT_FIXED_BYTES = 16
const ANNOTATION_FIXED_BYTES = 18

/** @throws {ShardError} `invalid` when a field does not fit its place. */
export function encodeShardOwner(owner: ShardOwner): Buffer {
  const { bucket, key, version, code, annotation, part, blobBytes } = owner
  const bucketBytes = fits(Buffer.byteLength(bucket), 0xff, 'bucket')
  const keyBytes = fits(Buffer.byteLength(key), 0xffff, 'key')
  const versionBytes = fits(Buffer.byteLength(version), 0xff, 'version')
  const codeBytes = fits(Buffer.byteLength(code), 0xff, 'code')
  const annotationBytes = fits(Buffer.byteLength(annotation ?? ''), 0xffff, 'annotation')
  const fixedBytes = annotation === undefined ? OBJECT_FIXED_BYTES : ANNOTATION_FIXED_BYTES
  const bytes = fixedBytes + bucketBytes + keyBytes + versionBytes + codeBytes + annotationBytes
  fits(bytes, SHARD_OWNER_BYTES_MAX, 'owner')
  const into = Buffer.allocUnsafe(bytes)
  into[0] = annotation === undefined ? OBJECT_FORMAT : ANNOTATION_FORMAT
  into[1] = bucketBytes
  into.writeUInt16LE(keyBytes, 2)
  into[4] = versionBytes
  into[5] = codeBytes
  into.writeUInt16LE(fits(part, 0xffff, 'part'), 6)
  into.writeBigUInt64LE(BigInt(fits(blobBytes, Number.MAX_SAFE_INTEGER, 'blobBytes')), 8)
  if (annotation !== undefined) into.writeUInt16LE(annotationBytes, OBJECT_FIXED_BYTES)
  let at = fixedBytes
  for (const text of [bucket, key, version, code, annotation ?? '']) at += into.write(text, at)
  return into
}

/** @throws {ShardError} `invalid` when the bytes are no owner of a known format. */
export function decodeShardOwner(bytes: Uint8Array): ShardOwner {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isObject = from.byteLength >= OBJECT_FIXED_BYTES && from[0] === OBJECT_FORMAT
  const isAnnotation = from.byteLength >= ANNOTATION_FIXED_BYTES && from[0] === ANNOTATION_FORMAT
  if (!isObject && !isAnnotation) throw new ShardError('invalid', 'owner: unknown format')
  const lengths = [from.readUInt8(1), from.readUInt16LE(2), from.readUInt8(4), from.readUInt8(5)]
  if (isAnnotation) lengths.push(from.readUInt16LE(OBJECT_FIXED_BYTES))
  let at = isAnnotation ? ANNOTATION_FIXED_BYTES : OBJECT_FIXED_BYTES
  const end = lengths.reduce((sum, length) => sum + length, at)
  if (end !== from.byteLength) throw new ShardError('invalid', 'owner: lengths do not add up')
  const [bucket = '', key = '', version = '', code = '', annotation] = lengths.map((length) =>
    from.toString('utf8', at, (at += length)),
  )
  const blobBytes = Number(from.readBigUInt64LE(8))
  const owner = { bucket, key, version, code, part: from.readUInt16LE(6), blobBytes }
  return annotation === undefined ? owner : { ...owner, annotation }
}

function fits(value: number, most: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value
  throw new ShardError('invalid', `owner: ${what} is ${value}, at most ${most}`)
}
