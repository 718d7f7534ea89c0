import { SHARD_BLOCK_BYTES } from '../../core/limits.ts'
import { type ShardAddress, type ShardBlocks, ShardError } from '../../proto/shard-transport.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import type { Location } from '../index/shard-index.ts'
import {
  dataOffset,
  decodeChecksums,
  decodeRecordHeader,
  decodeSegmentHeader,
  MARKER_BYTES,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.ts'

/** Bytes read for nothing rather than asking the disk twice: a disk gives them in the time of a second request. */
const SKIP_BYTES_MAX = SHARD_BLOCK_BYTES

/**
 * Blocks `start … end` of the shard whose record lies at `location`; verified against the checksums in the record, as
 * is the record against the address.
 * @throws {ShardError} `corrupt`
 */
export async function readBlocks(
  file: DiskFile,
  address: ShardAddress,
  location: Location,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<ShardBlocks> {
  const headBytes = dataOffset(location.ownerBytes, location.dataBytes)
  const { head, data } = await readParts(file, location.offset, headBytes, start, end)
  const checksums = checksumsOf(head, address, location)
  const first = start / SHARD_BLOCK_BYTES
  const wanted = checksums.slice(first, first + Math.ceil((end - start) / SHARD_BLOCK_BYTES))
  const bad = data.byteLength === end - start ? firstBadBlock(data, wanted) : 0
  if (bad !== -1) throw new ShardError('corrupt', `block ${first + bad} does not match its checksum`)
  return { offset: start, data, checksums: wanted, shardBytes: location.dataBytes }
}

/** The owner in the shard's record, encoded; verified likewise. @throws {ShardError} `corrupt` */
export async function readOwner(file: DiskFile, address: ShardAddress, location: Location): Promise<Buffer> {
  const head = await readAt(file, location.offset, dataOffset(location.ownerBytes, location.dataBytes))
  checksumsOf(head, address, location)
  return head.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + location.ownerBytes)
}

/** The header of a segment; undefined when it is damaged. @throws {SegmentFormatError} when it is of a newer format */
export async function readHeader(file: DiskFile): Promise<SegmentHeader | undefined> {
  return decodeSegmentHeader(await readAt(file, 0, SEGMENT_HEADER_BYTES))
}

/** The sync marker of a segment, which its first record starts with as well, should the header be damaged. */
export async function readMarker(
  file: DiskFile,
): Promise<{ marker: Uint8Array; header: SegmentHeader | undefined }> {
  const header = await readHeader(file)
  if (header !== undefined) return { marker: header.marker, header }
  const marker = Buffer.alloc(MARKER_BYTES)
  await file.read(marker, SEGMENT_HEADER_BYTES)
  return { marker, header }
}

function checksumsOf(head: Buffer, address: ShardAddress, location: Location): Uint32Array {
  const header = decodeRecordHeader(head)
  const expected =
    header?.kind === 'put' && header.sequence === location.sequence && sameShard(header.address, address)
  const checksums = header !== undefined && expected ? decodeChecksums(head, header) : undefined
  if (checksums === undefined) throw new ShardError('corrupt', 'the record of the shard is damaged')
  return checksums
}

async function readParts(
  file: DiskFile,
  offset: number,
  headBytes: number,
  start: number,
  end: number,
): Promise<{ head: Buffer; data: Buffer }> {
  if (start <= SKIP_BYTES_MAX) {
    const all = await readAt(file, offset, headBytes + end)
    return { head: all.subarray(0, headBytes), data: all.subarray(headBytes + start) }
  }
  const [head, data] = await Promise.all([
    readAt(file, offset, headBytes),
    readAt(file, offset + headBytes + start, end - start),
  ])
  return { head, data }
}

async function readAt(file: DiskFile, position: number, bytes: number): Promise<Buffer> {
  const into = Buffer.allocUnsafe(bytes)
  return into.subarray(0, await file.read(into, position))
}

function sameShard(a: ShardAddress, b: ShardAddress): boolean {
  return a.group === b.group && a.blob === b.blob && a.stripe === b.stripe && a.shard === b.shard
}
