import { BACKUP_FRAME_BYTES_MAX } from '../../../core/limits.ts'
import { crc32c } from '../../../runtime/crypto/crc32c.ts'

/**
 * The frames that a backup's file is made of after its magic: 16 bytes of head, then the payload. All numbers are big-endian.
 *
 *     0  kind      1 header, 2 chunk of entries, 3 trailer
 *     1  codec     0 stored as it is, 1 zstd
 *     2  engine    of a chunk: index in the header's list of engines
 *     3  space     of a chunk: first byte of all its keys
 *     4  stored    bytes of the payload as it lies in the file
 *     8  raw       bytes of the payload once decompressed
 *     12 checksum  CRC32C of the 12 bytes before and the stored payload
 */
export const FRAME_HEAD_BYTES = 16

/** `ASHLARMB` and the version of this format, which is 1. A newer version is refused. */
export const MAGIC: Uint8Array = Uint8Array.of(0x41, 0x53, 0x48, 0x4c, 0x41, 0x52, 0x4d, 0x42, 0, 0, 0, 1)

export const FRAME_KINDS = { header: 1, chunk: 2, trailer: 3 } as const
export const CODECS = { stored: 0, zstd: 1 } as const

export interface FrameHead {
  readonly kind: number
  readonly codec: number
  readonly engine: number
  readonly space: number
  readonly storedBytes: number
  readonly rawBytes: number
}

/** The file is no backup, is torn, or its bytes have changed since it was written. The message says where. */
export class BackupDamagedError extends Error {
  override readonly name = 'BackupDamagedError'
}

/** Head and payload, ready to be written. @param rawBytes of the payload before compression */
export function frame(
  fields: Omit<FrameHead, 'storedBytes' | 'rawBytes'>,
  payload: Uint8Array,
  rawBytes = payload.length,
): readonly [Uint8Array, Uint8Array] {
  const head = new Uint8Array(FRAME_HEAD_BYTES)
  const view = new DataView(head.buffer)
  head.set([fields.kind, fields.codec, fields.engine, fields.space])
  view.setUint32(4, payload.length)
  view.setUint32(8, rawBytes)
  view.setUint32(12, crc32c(payload, crc32c(head.subarray(0, 12))))
  return [head, payload]
}

/** @param at where the frame is, for the message @throws {BackupDamagedError} */
export function readFrameHead(bytes: Uint8Array, at: number): FrameHead {
  if (bytes.length < FRAME_HEAD_BYTES) throw torn(at)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const [kind = 0, codec = 0, engine = 0, space = 0] = bytes
  const head = {
    kind,
    codec,
    engine,
    space,
    storedBytes: view.getUint32(4),
    rawBytes: view.getUint32(8),
  }
  if (Math.max(head.storedBytes, head.rawBytes) > BACKUP_FRAME_BYTES_MAX || kind < 1 || kind > 3) {
    throw new BackupDamagedError(`the frame at byte ${at} makes no sense: its head is damaged`)
  }
  return head
}

/** @throws {BackupDamagedError} */
export function assertFrame(head: Uint8Array, payload: Uint8Array, at: number): void {
  const { storedBytes } = readFrameHead(head, at)
  if (payload.length < storedBytes) throw torn(at)
  const view = new DataView(head.buffer, head.byteOffset)
  if (view.getUint32(12) !== crc32c(payload, crc32c(head.subarray(0, 12)))) {
    throw new BackupDamagedError(`the frame at byte ${at} does not match its checksum`)
  }
}

function torn(at: number): BackupDamagedError {
  return new BackupDamagedError(`the file ends in the middle of the frame at byte ${at}: it is cut short`)
}
