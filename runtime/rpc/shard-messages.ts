/** Payloads of the control frames, each with its two directions side by side. Frame headers: frames.ts. */
import { SHARD_BLOCK_BYTES, SHARD_BYTES_MAX, SHARD_DAMAGE_REASON_CHARACTERS_MAX } from '../../core/limits.ts'
import {
  type DamagedList,
  type DeleteShards,
  type GetShard,
  type ListDamaged,
  type ListShards,
  type PutShard,
  type ShardAddress,
  type ShardDescription,
  ShardError,
  type ShardErrorCode,
  type ShardList,
  type StorageStatus,
} from '../../proto/shard-transport.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { controlFrame, FRAME_HEADER_BYTES, type FrameType } from './frames.ts'
import { decodeShardOwner, encodeShardOwner } from './shard-owner-codec.ts'

export const PROTOCOL_VERSION = 2

/** Codes on the wire are places in this list: add at the end only. */
const ERROR_CODES: readonly ShardErrorCode[] = [
  'not-found',
  'corrupt',
  'stale-map',
  'read-only',
  'unavailable',
  'unauthenticated',
  'invalid',
  'aborted',
]

const ERROR_TEXT_CHARACTERS_MAX = 500

export interface Hello {
  readonly version: number
  /** The node the caller means: addresses change hands, and a shard must not land on another node. */
  readonly node: string
  readonly token: string
}

/** Head of a reply to `get`; the blocks follow as data. */
export interface BlocksHead {
  readonly offset: number
  readonly shardBytes: number
  readonly dataBytes: number
  readonly checksums: Uint32Array
}

/** Head of a `put`; its data follows. */
export interface PutHead extends Omit<PutShard, 'data'> {
  readonly dataBytes: number
}

/**
 * Shard bytes that a `get` may bring, which both ends reserve before it starts.
 */
export function getBytes(request: GetShard): number {
  const { range } = request
  if (range === undefined) return SHARD_BYTES_MAX
  const start = Math.floor(range.start / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES
  const end = Math.ceil(range.end / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES
  return Math.min(SHARD_BYTES_MAX, Math.max(0, end - start))
}

const message = (): ByteWriter => new ByteWriter(FRAME_HEADER_BYTES)

function frame(type: FrameType, id: number, writer: ByteWriter): Buffer {
  return controlFrame(type, id, writer.finish())
}

/** Reads a whole payload. */
function parse<T>(payload: Buffer, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(payload)
  const value = read(reader)
  reader.end()
  return value
}

function writeAddress(writer: ByteWriter, address: ShardAddress): ByteWriter {
  return writer
    .uint(address.group, 4, 'group')
    .id(address.blob, 'blob')
    .uint(address.stripe, 4, 'stripe')
    .uint(address.shard, 2, 'shard')
}

function readAddress(reader: ByteReader): ShardAddress {
  return { group: reader.uint(4), blob: reader.id(), stripe: reader.uint(4), shard: reader.uint(2) }
}

function writeAfter(writer: ByteWriter, after: ShardAddress | undefined): ByteWriter {
  writer.uint(after === undefined ? 0 : 1, 1, 'after')
  return after === undefined ? writer : writeAddress(writer, after)
}

function readAfter(reader: ByteReader): { after?: ShardAddress } {
  return reader.uint(1) === 0 ? {} : { after: readAddress(reader) }
}

function repeat<T>(count: number, read: () => T): T[] {
  return Array.from({ length: count }, read)
}

/** In the order in which they travel. */
const SCRUB_FIELDS = [
  'cycle',
  'cycleStartedMs',
  'bytesDone',
  'bytesTotal',
  'lastCompletedMs',
  'found',
] as const satisfies readonly (keyof StorageStatus['scrub'])[]

/** In a hello: whichever node is there is meant. */
export const ANY_NODE = ''

export const hello = {
  encode: (value: Hello): Buffer =>
    frame(
      'hello',
      0,
      message().uint(value.version, 2, 'version').text(value.node, 'node').text(value.token, 'token'),
    ),
  decode: (payload: Buffer): Hello =>
    parse(payload, (reader) => ({ version: reader.uint(2), node: reader.text(), token: reader.text() })),
}

/** What a node knows that one of an earlier release, of the same version of the protocol, does not. */
export interface Knowledge {
  /** `background` of a `get`. */
  readonly background: boolean
}

const KNOWS_BACKGROUND = 1

/** Earlier releases sent nothing in it, and read nothing. */
export const welcome = {
  encode: ({ background }: Knowledge): Buffer =>
    frame('welcome', 0, message().uint(background ? KNOWS_BACKGROUND : 0, 1, 'knowledge')),
  decode: (payload: Buffer): Knowledge => ({ background: ((payload[0] ?? 0) & KNOWS_BACKGROUND) !== 0 }),
}

export const put = {
  encode(id: number, request: PutShard): Buffer {
    const writer = writeAddress(message(), request.address)
      .safe(request.epoch, 'epoch')
      .uint(request.data.byteLength, 4, 'dataBytes')
      .bytes(encodeShardOwner(request.owner), 'owner')
      .uint32s(request.checksums, 'checksums')
    return frame('put', id, writer)
  },
  decode: (payload: Buffer): PutHead =>
    parse(payload, (reader) => ({
      address: readAddress(reader),
      epoch: reader.safe(),
      dataBytes: reader.uint(4),
      owner: decodeShardOwner(reader.bytes()),
      checksums: reader.uint32s(),
    })),
}

/** In a `get`: there is a range; no client waits for it. */
const WITH_RANGE = 1
const IN_BACKGROUND = 2

export const get = {
  /** @param node what the node knows: one that does not know the background is asked as for a client */
  encode(id: number, { address, epoch, range, background }: GetShard, node: Knowledge): Buffer {
    const writer = writeAddress(message(), address).safe(epoch, 'epoch')
    const behind = background === true && node.background
    writer.uint((range === undefined ? 0 : WITH_RANGE) | (behind ? IN_BACKGROUND : 0), 1, 'flags')
    if (range !== undefined) writer.uint(range.start, 4, 'start').uint(range.end, 4, 'end')
    return frame('get', id, writer)
  },
  decode: (payload: Buffer): GetShard =>
    parse(payload, (reader) => {
      const address = readAddress(reader)
      const epoch = reader.safe()
      const flags = reader.uint(1)
      return {
        address,
        epoch,
        ...((flags & WITH_RANGE) === 0 ? {} : { range: { start: reader.uint(4), end: reader.uint(4) } }),
        ...((flags & IN_BACKGROUND) === 0 ? {} : { background: true }),
      }
    }),
}

export const blocks = {
  encode(id: number, value: BlocksHead): Buffer {
    const writer = message()
      .uint(value.offset, 4, 'offset')
      .uint(value.shardBytes, 4, 'shardBytes')
      .uint(value.dataBytes, 4, 'dataBytes')
      .uint32s(value.checksums, 'checksums')
    return frame('blocks', id, writer)
  },
  decode: (payload: Buffer): BlocksHead =>
    parse(payload, (reader) => ({
      offset: reader.uint(4),
      shardBytes: reader.uint(4),
      dataBytes: reader.uint(4),
      checksums: reader.uint32s(),
    })),
}

export const deleteBlob = {
  encode: (id: number, group: number, blob: string): Buffer =>
    frame('deleteBlob', id, message().uint(group, 4, 'group').id(blob, 'blob')),
  decode: (payload: Buffer): { group: number; blob: string } =>
    parse(payload, (reader) => ({ group: reader.uint(4), blob: reader.id() })),
}

export const deleted = {
  encode: (id: number, count: number): Buffer => frame('deleted', id, message().uint(count, 4, 'count')),
  decode: (payload: Buffer): number => parse(payload, (reader) => reader.uint(4)),
}

export const list = {
  encode(id: number, { group, after, limit, epoch }: ListShards): Buffer {
    const writer = message().uint(group, 4, 'group').uint(limit, 4, 'limit')
    writer.uint(epoch === undefined ? 0 : 1, 1, 'has epoch').safe(epoch ?? 0, 'epoch')
    return frame('list', id, writeAfter(writer, after))
  },
  decode: (payload: Buffer): ListShards =>
    parse(payload, (reader) => {
      const request = { group: reader.uint(4), limit: reader.uint(4) }
      const hasEpoch = reader.uint(1) === 1
      const epoch = reader.safe()
      return { ...request, ...(hasEpoch ? { epoch } : {}), ...readAfter(reader) }
    }),
}

export const shards = {
  encode(id: number, value: ShardList): Buffer {
    const writer = message()
      .uint(value.truncated ? 1 : 0, 1, 'truncated')
      .uint(value.shards.length, 4, 'count')
    for (const { address, bytes, damaged } of value.shards) {
      writeAddress(writer, address)
        .uint(bytes, 4, 'bytes')
        .uint(damaged ? 1 : 0, 1, 'damaged')
    }
    return frame('shards', id, writer)
  },
  decode: (payload: Buffer): ShardList =>
    parse(payload, (reader) => {
      const truncated = reader.uint(1) === 1
      const found = []
      for (let left = reader.uint(4); left > 0; left--) {
        found.push({
          address: readAddress(reader),
          bytes: reader.uint(4),
          damaged: reader.uint(1) === 1,
        })
      }
      return { shards: found, truncated }
    }),
}

export const describe = {
  encode(id: number, addresses: readonly ShardAddress[]): Buffer {
    const writer = message().uint(addresses.length, 2, 'count')
    for (const address of addresses) writeAddress(writer, address)
    return frame('describe', id, writer)
  },
  decode: (payload: Buffer): ShardAddress[] =>
    parse(payload, (reader) => repeat(reader.uint(2), () => readAddress(reader))),
}

export const descriptions = {
  encode(id: number, values: readonly (ShardDescription | undefined)[]): Buffer {
    const writer = message().uint(values.length, 2, 'count')
    for (const value of values) {
      writer.uint(value === undefined ? 0 : 1, 1, 'found')
      if (value !== undefined) {
        writer.uint(value.bytes, 4, 'bytes').bytes(encodeShardOwner(value.owner), 'owner')
      }
    }
    return frame('descriptions', id, writer)
  },
  decode: (payload: Buffer): (ShardDescription | undefined)[] =>
    parse(payload, (reader) =>
      repeat(reader.uint(2), () =>
        reader.uint(1) === 0 ? undefined : { bytes: reader.uint(4), owner: decodeShardOwner(reader.bytes()) },
      ),
    ),
}

export const deleteShards = {
  encode(id: number, { group, blob, epoch, shards: all }: DeleteShards): Buffer {
    const writer = message().uint(group, 4, 'group').id(blob, 'blob').safe(epoch, 'epoch')
    writer.uint(all.length, 2, 'count')
    for (const { stripe, shard } of all) writer.uint(stripe, 4, 'stripe').uint(shard, 2, 'shard')
    return frame('deleteShards', id, writer)
  },
  decode: (payload: Buffer): DeleteShards =>
    parse(payload, (reader) => ({
      group: reader.uint(4),
      blob: reader.id(),
      epoch: reader.safe(),
      shards: repeat(reader.uint(2), () => ({ stripe: reader.uint(4), shard: reader.uint(2) })),
    })),
}

export const damaged = {
  encode: (id: number, { after, limit }: ListDamaged): Buffer =>
    frame('damaged', id, writeAfter(message().uint(limit, 4, 'limit'), after)),
  decode: (payload: Buffer): ListDamaged =>
    parse(payload, (reader) => ({ limit: reader.uint(4), ...readAfter(reader) })),
}

export const damagedShards = {
  encode(id: number, value: DamagedList): Buffer {
    const writer = message()
      .uint(value.truncated ? 1 : 0, 1, 'truncated')
      .uint(value.shards.length, 2, 'count')
    for (const { address, reason, foundMs } of value.shards) {
      writeAddress(writer, address)
        .safe(foundMs, 'foundMs')
        .text(reason.slice(0, SHARD_DAMAGE_REASON_CHARACTERS_MAX), 'reason')
    }
    return frame('damagedShards', id, writer)
  },
  decode: (payload: Buffer): DamagedList =>
    parse(payload, (reader) => ({
      truncated: reader.uint(1) === 1,
      shards: repeat(reader.uint(2), () => ({
        address: readAddress(reader),
        foundMs: reader.safe(),
        reason: reader.text(),
      })),
    })),
}

export const status = {
  encode: (id: number): Buffer => frame('status', id, message()),
}

export const statusReply = {
  encode(id: number, value: StorageStatus): Buffer {
    const writer = message()
      .text(value.node, 'node')
      .text(value.zone, 'zone')
      .uint(value.writable ? 1 : 0, 1, 'writable')
      .text(value.reason.slice(0, ERROR_TEXT_CHARACTERS_MAX), 'reason')
      .safe(value.shards, 'shards')
      .safe(value.liveBytes, 'liveBytes')
      .safe(value.usedBytes, 'usedBytes')
      .safe(value.freeBytes, 'freeBytes')
      .safe(value.totalBytes, 'totalBytes')
      .uint(value.segments, 4, 'segments')
      .uint(value.suspect ? 1 : 0, 1, 'suspect')
      .safe(value.damagedShards, 'damagedShards')
    for (const name of SCRUB_FIELDS) writer.safe(value.scrub[name], name)
    return frame('statusReply', id, writer)
  },
  decode: (payload: Buffer): StorageStatus =>
    parse(payload, (reader) => ({
      node: reader.text(),
      zone: reader.text(),
      writable: reader.uint(1) === 1,
      reason: reader.text(),
      shards: reader.safe(),
      liveBytes: reader.safe(),
      usedBytes: reader.safe(),
      freeBytes: reader.safe(),
      totalBytes: reader.safe(),
      segments: reader.uint(4),
      suspect: reader.uint(1) === 1,
      damagedShards: reader.safe(),
      scrub: {
        cycle: reader.safe(),
        cycleStartedMs: reader.safe(),
        bytesDone: reader.safe(),
        bytesTotal: reader.safe(),
        lastCompletedMs: reader.safe(),
        found: reader.safe(),
      },
    })),
}

export const failure = {
  encode(id: number, error: ShardError): Buffer {
    const text = error.message.slice(0, ERROR_TEXT_CHARACTERS_MAX)
    return frame(
      'error',
      id,
      message().uint(ERROR_CODES.indexOf(error.code), 1, 'code').text(text, 'message'),
    )
  },
  decode: (payload: Buffer): ShardError =>
    parse(payload, (reader) => {
      const code = ERROR_CODES[reader.uint(1)] ?? 'unavailable'
      return new ShardError(code, reader.text())
    }),
}
