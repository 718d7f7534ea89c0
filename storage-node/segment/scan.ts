import type { DiskFile } from '../../runtime/ports/disk.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { LogRecord } from '../index/plan.ts'
import {
  dataOffset,
  decodeChecksums,
  decodeRecordHeader,
  MARKER_BYTES,
  RECORD_ALIGN,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  recordBytes,
} from './format.ts'

/** What disks of today lose as one. */
const SECTOR_BYTES = 4096

/** What a scan meets, in order of offset. */
export type Scanned =
  | { readonly record: LogRecord; readonly damaged?: boolean }
  /** Bytes between two records, or after the last, that are no whole record; and where in them a record's header is whole. */
  | { readonly gap: { readonly start: number; readonly end: number }; readonly torn: readonly number[] }

export interface ScanOptions {
  readonly segment: number
  readonly marker: Uint8Array
  /** Where to start: the start of a record. */
  readonly from: number
  /**
   * Whether to read owner, checksums and data too and to take only whole records: needed where the end may have been
   * torn. Otherwise headers alone are read.
   */
  readonly verify: boolean
  /** Whether to give records too whose header is whole, but not the rest, and to go on behind them. */
  readonly tellDamaged?: boolean
  /** Told of stretches that the disk cannot read, which are taken for zeros then. Absent: its error is thrown. */
  readonly unreadable?: (start: number, end: number) => void
}

/**
 * The records of a segment. After bytes that are no record it looks for the sync marker of the next one, so that a
 * damaged header hides one record and not all that follow.
 */
export async function* scanSegment(
  file: DiskFile,
  options: ScanOptions,
): AsyncGenerator<Scanned, void, undefined> {
  const { segment, marker, verify, tellDamaged = false } = options
  const bytes = verify ? 2 * RECORD_BYTES_MAX : 64 * 1024
  const window = new Window(file, await file.size(), bytes, options.unreadable)
  let at = options.from
  let gapStart: number | undefined
  let torn: number[] = []
  while (at < window.size) {
    const header = decodeRecordHeader(await window.view(at, RECORD_HEADER_BYTES), marker)
    const end = header === undefined ? at : at + recordBytes(header.ownerBytes, header.dataBytes)
    const fits = header !== undefined && end <= window.size
    const damaged = fits && verify && !(await isWhole(window, at, end, header))
    if (!fits || (damaged && !tellDamaged)) {
      gapStart ??= at
      if (header !== undefined) torn.push(at)
      at = await nextMarker(window, marker, at + RECORD_ALIGN)
      continue
    }
    if (gapStart !== undefined) yield { gap: { start: gapStart, end: at }, torn }
    gapStart = undefined
    torn = []
    const { kind, address, sequence, ownerBytes, dataBytes } = header
    const origin = header.origin === 0 ? segment : header.origin
    yield {
      record: {
        kind,
        address,
        location: { segment, offset: at, ownerBytes, dataBytes, sequence },
        end,
        origin,
      },
      ...(damaged ? { damaged } : {}),
    }
    at = end
  }
  if (gapStart !== undefined) yield { gap: { start: gapStart, end: window.size }, torn }
}

async function isWhole(window: Window, at: number, end: number, header: RecordHeader): Promise<boolean> {
  const record = await window.view(at, end - at)
  const checksums = decodeChecksums(record, header)
  if (checksums === undefined) return false
  const start = dataOffset(header.ownerBytes, header.dataBytes)
  return firstBadBlock(record.subarray(start, start + header.dataBytes), checksums) === -1
}

/** Where the marker is found next, aligned as records are; the end of the file when nowhere. */
async function nextMarker(window: Window, marker: Uint8Array, from: number): Promise<number> {
  const stride = RECORD_BYTES_MAX
  for (let at = from; at < window.size; at += stride) {
    const bytes = await window.view(at, Math.min(stride + MARKER_BYTES, window.size - at))
    for (let found = bytes.indexOf(marker); found !== -1; found = bytes.indexOf(marker, found + 1)) {
      if ((at + found) % RECORD_ALIGN === 0) return at + found
    }
  }
  return window.size
}

/** A stretch of the file in memory that moves along. */
class Window {
  readonly size: number
  readonly #file: DiskFile
  readonly #bytes: number
  readonly #unreadable: ScanOptions['unreadable']
  #start = 0
  #held = Buffer.alloc(0)
  /** Used again and again: fresh pages for every stretch cost more than their checksums. */
  #room = Buffer.alloc(0)

  constructor(file: DiskFile, size: number, bytes: number, unreadable: ScanOptions['unreadable']) {
    this.#file = file
    this.size = size
    this.#bytes = bytes
    this.#unreadable = unreadable
  }

  /** The bytes at `position`, fewer at the end of the file. Valid until the next call. */
  async view(position: number, bytes: number): Promise<Buffer> {
    const end = Math.min(position + bytes, this.size)
    if (position < this.#start || end > this.#start + this.#held.byteLength) {
      const wanted = Math.min(Math.max(bytes, this.#bytes), this.size - position)
      if (this.#room.byteLength < wanted) this.#room = Buffer.allocUnsafe(wanted)
      // While it is read into, nothing of it is held.
      this.#held = this.#room.subarray(0, 0)
      const into = this.#room.subarray(0, Math.max(0, wanted))
      const read = await this.#read(into, position)
      this.#start = position
      this.#held = into.subarray(0, read)
    }
    return this.#held.subarray(position - this.#start, end - this.#start)
  }

  async #read(into: Buffer, position: number): Promise<number> {
    const unreadable = this.#unreadable
    if (unreadable === undefined) return await this.#file.read(into, position)
    try {
      return await this.#file.read(into, position)
    } catch (error) {
      if (errnoOf(error) !== 'EIO') throw error
    }
    let at = 0
    while (at < into.byteLength) {
      const sector = into.subarray(at, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES))
      try {
        await this.#file.read(sector, position + at)
      } catch (error) {
        if (errnoOf(error) !== 'EIO') throw error
        sector.fill(0)
        unreadable(position + at, position + at + sector.byteLength)
      }
      at += sector.byteLength
    }
    return into.byteLength
  }
}
