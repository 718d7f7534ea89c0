/**
 * Keys and values of the index as bytes. Keys are big-endian, so that their order is that of (group, blob, stripe,
 * shard); each value ends in a CRC32C of key and value.
 */
import type { ShardAddress } from '../../proto/shard-transport.ts'
import { crc32c } from '../../runtime/crypto/crc32c.ts'
import {
  type Checkpoint,
  type Damage,
  IndexDamage,
  type IndexEntry,
  type InventoryCount,
  type Location,
  type ScrubProgress,
  type SegmentUse,
} from './shard-index.ts'

const SHARD = 0x73
const SEGMENT = 0x67
const DAMAGE = 0x64
const INVENTORY = 0x69
const SHARD_KEY_BYTES = 27
const USE_BYTES = 32

export const CHECKPOINT_KEY = Buffer.from('c')
export const SCRUB_KEY = Buffer.from('p')
/** Sorts after every key: flushing the empty range from here touches nothing. */
export const PAST_ALL_KEYS = Buffer.from([0xff])
export const SHARD_KEYS = { gte: Buffer.from([SHARD]), lt: Buffer.from([SHARD + 1]) }
export const SEGMENT_KEYS = { gte: Buffer.from([SEGMENT]), lt: Buffer.from([SEGMENT + 1]) }

export const DAMAGE_KEYS = { gte: Buffer.from([DAMAGE]), lt: Buffer.from([DAMAGE + 1]) }
export const INVENTORY_KEYS = { gte: Buffer.from([INVENTORY]), lt: Buffer.from([INVENTORY + 1]) }

export function shardKey(address: ShardAddress): Buffer {
  return addressKey(SHARD, address)
}

export function damageKey(address: ShardAddress): Buffer {
  return addressKey(DAMAGE, address)
}

function addressKey(space: number, address: ShardAddress): Buffer {
  const key = Buffer.allocUnsafe(SHARD_KEY_BYTES)
  key[0] = space
  key.writeUInt32BE(address.group, 1)
  key.write(address.blob, 5, 16, 'hex')
  key.writeUInt32BE(address.stripe, 21)
  key.writeUInt16BE(address.shard, 25)
  return key
}

/** Bounds of a group's keys, or of one blob's in it. */
export function prefixBounds(group: number, blob = ''): { gte: Buffer; lt: Buffer } {
  const prefix = Buffer.alloc(5 + blob.length / 2)
  prefix[0] = SHARD
  prefix.writeUInt32BE(group, 1)
  prefix.write(blob, 5, 'hex')
  const past = Buffer.from(prefix)
  for (let i = past.length - 1; i >= 0; i--) {
    past[i] = ((past[i] ?? 0) + 1) % 256
    if (past[i] !== 0) break
  }
  return { gte: prefix, lt: past }
}

export function segmentKey(segment: number): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = SEGMENT
  key.writeUInt32BE(segment, 1)
  return key
}

export function locationValue(key: Buffer, location: Location): Buffer {
  const value = Buffer.allocUnsafe(26)
  value.writeUInt32LE(location.segment, 0)
  value.writeUInt32LE(location.offset, 4)
  value.writeUInt32LE(location.dataBytes, 8)
  value.writeUInt16LE(location.ownerBytes, 12)
  writeSafe(value, location.sequence, 14)
  return sealed(key, value)
}

export function locationOf(key: Buffer, bytes: Buffer): Location {
  const value = opened(key, bytes, 26)
  return {
    segment: value.readUInt32LE(0),
    offset: value.readUInt32LE(4),
    dataBytes: value.readUInt32LE(8),
    ownerBytes: value.readUInt16LE(12),
    sequence: readSafe(value, 14),
  }
}

export function entryOf(key: Buffer, value: Buffer): IndexEntry {
  return { address: addressOf(key), location: locationOf(key, value) }
}

function addressOf(key: Buffer): ShardAddress {
  if (key.byteLength !== SHARD_KEY_BYTES) throw new IndexDamage('a key has the wrong length')
  return {
    group: key.readUInt32BE(1),
    blob: key.toString('hex', 5, 21),
    stripe: key.readUInt32BE(21),
    shard: key.readUInt16BE(25),
  }
}

export function damageValue(key: Buffer, damage: Damage): Buffer {
  const reason = Buffer.from(damage.reason)
  const value = Buffer.allocUnsafe(20 + reason.byteLength)
  writeSafe(value, damage.sequence, 0)
  writeSafe(value, damage.foundMs, 8)
  value.set(reason, 16)
  return sealed(key, value)
}

export function damageOf(key: Buffer, bytes: Buffer): Damage {
  const value = opened(key, bytes, Math.max(20, bytes.byteLength))
  return {
    address: addressOf(key),
    sequence: readSafe(value, 0),
    foundMs: readSafe(value, 8),
    reason: value.toString('utf8', 16, value.byteLength - 4),
  }
}

export function inventoryKey({ group, shard }: InventoryCount): Buffer {
  const key = Buffer.allocUnsafe(7)
  key[0] = INVENTORY
  key.writeUInt32BE(group, 1)
  key.writeUInt16BE(shard, 5)
  return key
}

export function inventoryValue(key: Buffer, { blobs }: InventoryCount): Buffer {
  const value = Buffer.allocUnsafe(12)
  writeSafe(value, blobs, 0)
  return sealed(key, value)
}

export function inventoryOf(key: Buffer, bytes: Buffer): InventoryCount {
  const value = opened(key, bytes, 12)
  return { group: key.readUInt32BE(1), shard: key.readUInt16BE(5), blobs: readSafe(value, 0) }
}

export function scrubValue(progress: ScrubProgress): Buffer {
  const value = Buffer.allocUnsafe(52)
  value.writeUInt32LE(progress.through, 0)
  value.writeUInt32LE(progress.done, 4)
  writeSafe(value, progress.cycle, 8)
  writeSafe(value, progress.startedMs, 16)
  writeSafe(value, progress.bytesDone, 24)
  writeSafe(value, progress.completedMs, 32)
  writeSafe(value, progress.found, 40)
  return sealed(SCRUB_KEY, value)
}

export function scrubOf(bytes: Buffer): ScrubProgress {
  const value = opened(SCRUB_KEY, bytes, 52)
  return {
    through: value.readUInt32LE(0),
    done: value.readUInt32LE(4),
    cycle: readSafe(value, 8),
    startedMs: readSafe(value, 16),
    bytesDone: readSafe(value, 24),
    completedMs: readSafe(value, 32),
    found: readSafe(value, 40),
  }
}

export function useValue(key: Buffer, use: SegmentUse): Buffer {
  const value = Buffer.allocUnsafe(USE_BYTES)
  value.writeUInt32LE(use.liveShards, 0)
  writeSafe(value, use.liveBytes, 4)
  value.writeUInt32LE(use.end, 12)
  value.writeUInt32LE(use.liveRecordBytes, 16)
  value.writeUInt32LE(use.tombstoneBytes, 20)
  value.writeUInt32LE(use.buries, 24)
  return sealed(key, value)
}

export function useOf(key: Buffer, bytes: Buffer): SegmentUse {
  const value = opened(key, bytes, USE_BYTES)
  return {
    segment: key.readUInt32BE(1),
    liveShards: value.readUInt32LE(0),
    liveBytes: readSafe(value, 4),
    end: value.readUInt32LE(12),
    liveRecordBytes: value.readUInt32LE(16),
    tombstoneBytes: value.readUInt32LE(20),
    buries: value.readUInt32LE(24),
  }
}

/** Format of keys and values; one of another format is built anew. */
const INDEX_FORMAT = 2

export function checkpointValue(checkpoint: Checkpoint): Buffer {
  const value = Buffer.allocUnsafe(24)
  value.writeUInt32LE(INDEX_FORMAT, 0)
  value.writeUInt32LE(checkpoint.segment, 4)
  value.writeUInt32LE(checkpoint.offset, 8)
  writeSafe(value, checkpoint.sequence, 12)
  return sealed(CHECKPOINT_KEY, value)
}

/** Undefined for one of another format. */
export function checkpointOf(bytes: Buffer): Checkpoint | undefined {
  const value = opened(CHECKPOINT_KEY, bytes, 24)
  if (value.readUInt32LE(0) !== INDEX_FORMAT) return undefined
  return { segment: value.readUInt32LE(4), offset: value.readUInt32LE(8), sequence: readSafe(value, 12) }
}

/** Writes the checksum into the last four bytes. */
function sealed(key: Buffer, value: Buffer): Buffer {
  const end = value.byteLength - 4
  value.writeUInt32LE(crc32c(value.subarray(0, end), crc32c(key)), end)
  return value
}

function opened(key: Buffer, value: Buffer, bytes: number): Buffer {
  const end = bytes - 4
  if (value.byteLength !== bytes || crc32c(value.subarray(0, end), crc32c(key)) !== value.readUInt32LE(end)) {
    throw new IndexDamage(`the value of key ${key.toString('hex')} does not match its checksum`)
  }
  return value
}

function writeSafe(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at)
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4)
}

function readSafe(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32
}
