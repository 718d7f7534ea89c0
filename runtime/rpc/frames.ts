/**
 * Frames of the shard protocol. Each starts with 16 bytes, little-endian:
 *
 *     0   u32  bytes of payload
 *     4   u8   type
 *     5   3 bytes 0
 *     8   u32  id of the request it belongs to
 *     12  u32  CRC32C of bytes 0 … 11 and, but for `data`, the payload
 *
 * The payload of a `data` frame is a piece of a shard, which its own block checksums guard from end to end.
 */
import { SHARD_CONTROL_BYTES_MAX, SHARD_FRAME_BYTES_MAX } from '../../core/limits.ts'
import { crc32c } from '../crypto/crc32c.ts'

export const FRAME_HEADER_BYTES = 16

/** Codes on the wire: never change one, add at the end. */
export const FRAME_TYPES = {
  hello: 1,
  welcome: 2,
  put: 3,
  get: 4,
  deleteBlob: 5,
  list: 6,
  status: 7,
  cancel: 8,
  ping: 9,
  data: 10,
  done: 11,
  blocks: 12,
  deleted: 13,
  shards: 14,
  statusReply: 15,
  error: 16,
  pong: 17,
  describe: 18,
  descriptions: 19,
  deleteShards: 20,
  damaged: 21,
  damagedShards: 22,
} as const

export type FrameType = keyof typeof FRAME_TYPES

const NAMES = new Map<number, FrameType>()
for (const name of Object.keys(FRAME_TYPES)) if (isFrameType(name)) NAMES.set(FRAME_TYPES[name], name)

function isFrameType(name: string): name is FrameType {
  return Object.hasOwn(FRAME_TYPES, name)
}

/** The peer does not speak this protocol, or the connection damaged what it said: nothing after it can be trusted. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** Completes a control frame: `bytes` is the payload after {@link FRAME_HEADER_BYTES} free bytes. */
export function controlFrame(type: FrameType, id: number, bytes: Buffer): Buffer {
  writeHeader(bytes, type, id, bytes.byteLength - FRAME_HEADER_BYTES)
  bytes.writeUInt32LE(crc32c(bytes.subarray(FRAME_HEADER_BYTES), crc32c(bytes.subarray(0, 12))), 12)
  return bytes
}

export function emptyFrame(type: FrameType, id: number): Buffer {
  return controlFrame(type, id, Buffer.allocUnsafe(FRAME_HEADER_BYTES))
}

/** The header of a `data` frame, whose payload follows it. */
export function dataFrameHeader(id: number, payloadBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES)
  writeHeader(bytes, 'data', id, payloadBytes)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 12)), 12)
  return bytes
}

function writeHeader(into: Buffer, type: FrameType, id: number, payloadBytes: number): void {
  into.writeUInt32LE(payloadBytes, 0)
  into.writeUInt32LE(FRAME_TYPES[type], 4)
  into.writeUInt32LE(id, 8)
}

export interface FrameSink {
  /** A whole control frame; `payload` is valid during the call only. */
  control(type: FrameType, id: number, payload: Buffer): void
  /** A piece of the payload of `data` frames, in order; valid during the call only. */
  data(id: number, piece: Buffer): void
}

/** Cuts a stream into frames. Holds one header and one control frame at most; data passes through. */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #headerFilled = 0
  #type: FrameType = 'data'
  #id = 0
  #left = 0
  /** The control frame that is being put together; empty for data. */
  #control = Buffer.alloc(0)
  #controlBytesMax = SHARD_CONTROL_BYTES_MAX

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** The largest control frame to take from now on. */
  set controlBytesMax(bytes: number) {
    this.#controlBytesMax = bytes
  }

  /** @throws {FrameError} */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.byteLength) {
      if (this.#headerFilled < FRAME_HEADER_BYTES) {
        const taken = chunk.copy(this.#header, this.#headerFilled, at)
        this.#headerFilled += taken
        at += taken
        if (this.#headerFilled === FRAME_HEADER_BYTES) this.#open()
        continue
      }
      const piece = chunk.subarray(at, at + this.#left)
      at += piece.byteLength
      this.#take(piece)
    }
  }

  #open(): void {
    const header = this.#header
    const type = NAMES.get(header.readUInt32LE(4))
    const payloadBytes = header.readUInt32LE(0)
    const most = type === 'data' ? SHARD_FRAME_BYTES_MAX : this.#controlBytesMax
    if (type === undefined || payloadBytes > most) throw new FrameError('not a frame of the shard protocol')
    this.#type = type
    this.#id = header.readUInt32LE(8)
    this.#left = payloadBytes
    if (type === 'data') this.#check(header.subarray(0, 0))
    if (payloadBytes === 0) this.#finish(header.subarray(0, 0))
  }

  #take(piece: Buffer): void {
    const started = this.#control.byteLength > 0
    this.#left -= piece.byteLength
    if (this.#type === 'data') {
      this.#sink.data(this.#id, piece)
      if (this.#left === 0) this.#headerFilled = 0
      return
    }
    if (this.#left === 0 && !started) {
      this.#finish(piece)
      return
    }
    if (!started) this.#control = Buffer.allocUnsafe(piece.byteLength + this.#left)
    piece.copy(this.#control, this.#control.byteLength - this.#left - piece.byteLength)
    if (this.#left === 0) this.#finish(this.#control)
  }

  #finish(payload: Buffer): void {
    this.#headerFilled = 0
    this.#control = Buffer.alloc(0)
    if (this.#type === 'data') return
    this.#check(payload)
    this.#sink.control(this.#type, this.#id, payload)
  }

  #check(guarded: Buffer): void {
    if (crc32c(guarded, crc32c(this.#header.subarray(0, 12))) !== this.#header.readUInt32LE(12)) {
      throw new FrameError('a frame was damaged on the way')
    }
  }
}
