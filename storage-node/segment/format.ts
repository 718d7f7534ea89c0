/**
 * Bytes of a segment file, format 2. Numbers are little-endian; every byte is under a CRC32C.
 *
 * Segment header, 512 bytes (one sector, so that it is never torn), then records without gaps:
 *
 *     0    magic "ASHLARSG"
 *     8    u32  format: 2; 1 is the same without shard tombstones and copies, and is read too
 *     12   u32  segment number
 *     16   8 random bytes: the sync marker that starts every record of this segment
 *     24   u64  created, Unix milliseconds
 *     32   u8   bytes of the node id, then the id in UTF-8 (at most 127)
 *     160  u8   bytes of the cluster id, then the id in UTF-8 (at most 127); empty where it was not known
 *     288  zeros
 *     508  u32  CRC32C of bytes 0 … 507
 *
 * Record, padded with zeros to a multiple of 8 bytes:
 *
 *     0    sync marker of the segment
 *     8    u8   kind: 1 put, 2 tombstone, 3 shard tombstone
 *     9    u8   checksum block size as a power of two: 16 is 64 KiB
 *     10   u16  bytes of owner
 *     12   u32  bytes of data
 *     16   u64  sequence number: grows over the node's life; of two records of one shard the higher holds. A copy that
 *               compaction made has that of its original; of a record and its copies the last in the log holds
 *     24   u32  placement group
 *     28   u32  stripe
 *     32   blob id, 16 bytes
 *     48   u16  shard
 *     50   u16  0
 *     52   u32  CRC32C of owner and block checksums
 *     56   u32  of a copy: the segment that the record was first written in; 0: this one
 *     60   u32  CRC32C of bytes 0 … 59
 *     64   owner (runtime/rpc/shard-owner-codec.ts)
 *          u32  CRC32C of each block of data
 *          data
 *
 * A tombstone has no owner, data, stripe or shard: it removes every shard of its blob with a lower sequence number. A shard
 * tombstone has no owner or data: it removes the one shard it names, if that has a lower sequence number.
 *
 * The marker is random so that bytes a client stored can never pass for a record when a reader looks for the next one
 * after a damaged header: nobody outside the node knows it.
 */
import { SHARD_BLOCK_BYTES, SHARD_BYTES_MAX, SHARD_OWNER_BYTES_MAX } from '../../core/limits.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { blockCount, crc32c } from '../../runtime/crypto/crc32c.ts'

export const SEGMENT_FORMAT = 2
const SEGMENT_FORMAT_OLDEST = 1
export const SEGMENT_HEADER_BYTES = 512
export const RECORD_HEADER_BYTES = 64
export const RECORD_ALIGN = 8
export const MARKER_BYTES = 8
/** The largest record: what a reader must be able to hold. */
export const RECORD_BYTES_MAX = recordBytes(SHARD_OWNER_BYTES_MAX, SHARD_BYTES_MAX)

const MAGIC = Buffer.from('ASHLARSG')
const ID_BYTES_MAX = 127
/** Numbers of the kinds in a record's header. */
const KINDS = { put: 1, tombstone: 2, 'shard-tombstone': 3 } as const
const KIND_OF: ReadonlyMap<number, RecordKind> = new Map([
  [1, 'put'],
  [2, 'tombstone'],
  [3, 'shard-tombstone'],
])
const BLOCK_SHIFT = Math.log2(SHARD_BLOCK_BYTES)

export type RecordKind = keyof typeof KINDS

export interface SegmentHeader {
  /** Of a header that was read; absent: {@link SEGMENT_FORMAT}. */
  readonly format?: number
  readonly number: number
  /** {@link MARKER_BYTES} random bytes. */
  readonly marker: Uint8Array
  readonly createdMs: number
  readonly nodeId: string
  readonly clusterId: string
}

export interface RecordHeader {
  readonly kind: RecordKind
  readonly sequence: number
  /** Of a tombstone: stripe 0, shard 0. */
  readonly address: ShardAddress
  readonly ownerBytes: number
  readonly dataBytes: number
  /** Of a copy: the segment that the record was first written in; 0: it is no copy. */
  readonly origin: number
  /** CRC32C of owner and block checksums. */
  readonly metaCrc: number
}

/** A segment this program must not touch: of a newer one, or of another node. */
export class SegmentFormatError extends Error {
  override readonly name = 'SegmentFormatError'
}

/** Bytes of a record in its file, padding included. */
export function recordBytes(ownerBytes: number, dataBytes: number): number {
  return Math.ceil((dataOffset(ownerBytes, dataBytes) + dataBytes) / RECORD_ALIGN) * RECORD_ALIGN
}

/** Where the data starts in a record. */
export function dataOffset(ownerBytes: number, dataBytes: number): number {
  return RECORD_HEADER_BYTES + ownerBytes + 4 * blockCount(dataBytes)
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const into = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(into, 0)
  into.writeUInt32LE(SEGMENT_FORMAT, 8)
  into.writeUInt32LE(header.number, 12)
  into.set(header.marker, 16)
  into.writeBigUInt64LE(BigInt(header.createdMs), 24)
  writeId(into, 32, header.nodeId)
  writeId(into, 160, header.clusterId)
  into.writeUInt32LE(crc32c(into.subarray(0, 508)), 508)
  return into
}

/**
 * The header of a segment, or undefined when the bytes are none (short or damaged).
 * @throws {SegmentFormatError} when it is a header of a newer format.
 */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.byteLength < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined
  if (crc32c(bytes.subarray(0, 508)) !== bytes.readUInt32LE(508)) return undefined
  const format = bytes.readUInt32LE(8)
  if (format < SEGMENT_FORMAT_OLDEST || format > SEGMENT_FORMAT) {
    throw new SegmentFormatError(`segment format ${format} is newer than this program's ${SEGMENT_FORMAT}`)
  }
  return {
    format,
    number: bytes.readUInt32LE(12),
    marker: Uint8Array.from(bytes.subarray(16, 16 + MARKER_BYTES)),
    createdMs: Number(bytes.readBigUInt64LE(24)),
    nodeId: readId(bytes, 32),
    clusterId: readId(bytes, 160),
  }
}

/** Header, owner and block checksums of a record: all that comes before its data. */
export function encodeRecordHead(
  marker: Uint8Array,
  header: Omit<RecordHeader, 'ownerBytes' | 'metaCrc'>,
  owner: Uint8Array,
  checksums: Uint32Array,
): Buffer {
  const into = Buffer.allocUnsafe(RECORD_HEADER_BYTES + owner.byteLength + 4 * checksums.length)
  into.set(owner, RECORD_HEADER_BYTES)
  let at = RECORD_HEADER_BYTES + owner.byteLength
  for (const checksum of checksums) at = into.writeUInt32LE(checksum, at)
  const { address } = header
  into.set(marker, 0)
  into[8] = KINDS[header.kind]
  into[9] = BLOCK_SHIFT
  into.writeUInt16LE(owner.byteLength, 10)
  into.writeUInt32LE(header.dataBytes, 12)
  into.writeUInt32LE(header.sequence % 2 ** 32, 16)
  into.writeUInt32LE(Math.floor(header.sequence / 2 ** 32), 20)
  into.writeUInt32LE(address.group, 24)
  into.writeUInt32LE(address.stripe, 28)
  into.write(address.blob, 32, 16, 'hex')
  into.writeUInt16LE(address.shard, 48)
  into.writeUInt16LE(0, 50)
  into.writeUInt32LE(crc32c(into.subarray(RECORD_HEADER_BYTES)), 52)
  into.writeUInt32LE(header.origin, 56)
  into.writeUInt32LE(crc32c(into.subarray(0, 60)), 60)
  return into
}

/** The header at the start of `bytes`, or undefined when there is none or it is damaged. `marker` is checked if given. */
export function decodeRecordHeader(bytes: Buffer, marker?: Uint8Array): RecordHeader | undefined {
  if (bytes.byteLength < RECORD_HEADER_BYTES) return undefined
  if (marker !== undefined && bytes.compare(marker, 0, MARKER_BYTES, 0, MARKER_BYTES) !== 0) return undefined
  if (crc32c(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  const kind = KIND_OF.get(bytes[8] ?? 0)
  const ownerBytes = bytes.readUInt16LE(10)
  const dataBytes = bytes.readUInt32LE(12)
  if (kind === undefined || bytes[9] !== BLOCK_SHIFT) return undefined
  if (ownerBytes > SHARD_OWNER_BYTES_MAX || dataBytes > SHARD_BYTES_MAX) return undefined
  return {
    kind,
    sequence: bytes.readUInt32LE(16) + bytes.readUInt32LE(20) * 2 ** 32,
    address: {
      group: bytes.readUInt32LE(24),
      blob: bytes.toString('hex', 32, 48),
      stripe: bytes.readUInt32LE(28),
      shard: bytes.readUInt16LE(48),
    },
    ownerBytes,
    dataBytes,
    origin: bytes.readUInt32LE(56),
    metaCrc: bytes.readUInt32LE(52),
  }
}

/**
 * The block checksums of the record whose head (header, owner, checksums) `bytes` starts with, or undefined when owner
 * or checksums are damaged.
 */
export function decodeChecksums(bytes: Buffer, header: RecordHeader): Uint32Array | undefined {
  const start = RECORD_HEADER_BYTES + header.ownerBytes
  const end = dataOffset(header.ownerBytes, header.dataBytes)
  if (bytes.byteLength < end) return undefined
  if (crc32c(bytes.subarray(RECORD_HEADER_BYTES, end)) !== header.metaCrc) return undefined
  const checksums = new Uint32Array((end - start) / 4)
  for (let i = 0; i < checksums.length; i++) checksums[i] = bytes.readUInt32LE(start + 4 * i)
  return checksums
}

function writeId(into: Buffer, at: number, id: string): void {
  const bytes = Buffer.byteLength(id)
  if (bytes > ID_BYTES_MAX) throw new RangeError(`id ${id} has ${bytes} bytes, at most ${ID_BYTES_MAX}`)
  into[at] = bytes
  into.write(id, at + 1)
}

function readId(from: Buffer, at: number): string {
  return from.toString('utf8', at + 1, at + 1 + from.readUInt8(at))
}
