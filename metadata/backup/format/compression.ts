import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { CODECS } from './frame.ts'

const compressZstd = promisify(zstdCompress)
const decompressZstd = promisify(zstdDecompress)

/** Level 3 is zstd's own default; records shrink to about a quarter at some hundred MB a second. */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }

export interface Compressed {
  readonly codec: number
  readonly payload: Uint8Array
}

/** By other threads. What does not shrink is left as it is. */
export async function compress(raw: Uint8Array): Promise<Compressed> {
  const payload = await compressZstd(raw, OPTIONS)
  return payload.length < raw.length
    ? { codec: CODECS.zstd, payload }
    : { codec: CODECS.stored, payload: raw }
}

/** Undefined for what cannot be decompressed to exactly so many bytes. */
export async function decompress(
  { codec, payload }: Compressed,
  rawBytes: number,
): Promise<Uint8Array | undefined> {
  if (codec === CODECS.stored) return payload.length === rawBytes ? payload : undefined
  if (codec !== CODECS.zstd) return undefined
  try {
    const raw = await decompressZstd(payload, { maxOutputLength: Math.max(1, rawBytes) })
    // Not a Buffer, whose `slice` would not copy.
    return raw.length === rawBytes ? new Uint8Array(raw.buffer, raw.byteOffset, raw.length) : undefined
  } catch {
    return undefined
  }
}
