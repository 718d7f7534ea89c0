import { createHash } from 'node:crypto'
import { RECORD_FORMAT } from '../../../core/limits.ts'
import { compareBytes } from '../../../core/keyspace/bytes.ts'
import { assertKnownFormat } from '../../../core/records/format.ts'
import type { DiskFile } from '../../../runtime/ports/disk.ts'
import type { EngineEntry } from '../../engine/engine.ts'
import { decompress } from './compression.ts'
import { type BackupHeader, type BackupTrailer, decodeHeader, decodeTrailer } from './documents.ts'
import { unpackEntries } from './entries.ts'
import {
  assertFrame,
  BackupDamagedError,
  FRAME_HEAD_BYTES,
  FRAME_KINDS,
  type FrameHead,
  MAGIC,
  readFrameHead,
} from './frame.ts'

export type BackupSource = Pick<DiskFile, 'size' | 'read'>

export interface BackupChunk {
  readonly engine: number
  readonly space: number
  /** In order of key. */
  readonly entries: readonly EngineEntry[]
  /** Where its frame begins in the file. */
  readonly at: number
}

/** Where the first chunk of a space of an engine is. */
export interface SpaceStart {
  readonly engine: number
  readonly space: number
  readonly at: number
}

export interface CheckedBackup {
  readonly header: BackupHeader
  readonly trailer: BackupTrailer
  /** In order of (engine, space). */
  readonly spaces: readonly SpaceStart[]
  readonly fileBytes: number
}

/**
 * Reads all of a file and holds every byte against its checksums: frames, order of keys, counts and the digest of the whole.
 * Nothing of a file should be used before.
 * @param progress called with the bytes read so far
 * @throws {BackupDamagedError} naming the place
 * @throws {NewerFormatError} a newer program wrote it
 */
export async function checkBackup(
  source: BackupSource,
  progress: (bytes: number, of: number) => void = () => undefined,
): Promise<CheckedBackup> {
  const fileBytes = await source.size()
  const hash = createHash('sha256')
  const magic = await readAt(source, 0, MAGIC.length)
  assertMagic(magic)
  hash.update(magic)
  let header: BackupHeader | undefined
  const spaces: SpaceStart[] = []
  const seen = { entries: 0, chunks: 0, bytes: 0 }
  let last: { engine: number; key: Uint8Array } | undefined
  for (let at = MAGIC.length; ;) {
    const read = await readFrame(source, at)
    const { head, payload } = read
    const end = at + FRAME_HEAD_BYTES + head.storedBytes
    if ((head.kind === FRAME_KINDS.header) !== (header === undefined)) {
      throw new BackupDamagedError(`the frame at byte ${at} is not where it belongs`)
    }
    if (head.kind === FRAME_KINDS.trailer) {
      const trailer = decodeTrailer(payload)
      assertWhole(trailer, { ...seen, sha256: hash.digest('hex') })
      if (end !== fileBytes) {
        throw new BackupDamagedError(`${fileBytes - end} bytes follow the end of the backup at byte ${end}`)
      }
      if (header === undefined) throw new BackupDamagedError('the backup has no header')
      return { header, trailer, spaces, fileBytes }
    }
    hash.update(read.headBytes)
    hash.update(payload)
    if (head.kind === FRAME_KINDS.header) {
      header = decodeHeader(payload)
      assertKnownFormat('the backup', header.recordFormat, RECORD_FORMAT)
    } else {
      const { engine, space, entries } = await chunkOf(head, payload, at)
      if (last?.engine !== engine || last.key[0] !== space) spaces.push({ engine, space, at })
      for (const { key, value } of entries) {
        if (key[0] !== space || engine >= (header?.engines.length ?? 0) || !follows(last, engine, key)) {
          throw new BackupDamagedError(`the chunk at byte ${at} holds keys that do not belong there`)
        }
        last = { engine, key }
        seen.bytes += key.length + value.length
      }
      seen.entries += entries.length
      seen.chunks++
    }
    at = end
    progress(at, fileBytes)
  }
}

/**
 * The chunks from a frame on, checked each by itself; of a file that {@link checkBackup} has found to be whole.
 * @throws {BackupDamagedError}
 */
export async function* readChunks(source: BackupSource, from?: number): AsyncGenerator<BackupChunk> {
  let at = from ?? MAGIC.length
  for (;;) {
    const { head, payload } = await readFrame(source, at)
    if (head.kind === FRAME_KINDS.trailer) return
    if (head.kind === FRAME_KINDS.chunk) yield await chunkOf(head, payload, at)
    at += FRAME_HEAD_BYTES + head.storedBytes
  }
}

function assertMagic(found: Uint8Array): void {
  const name = MAGIC.length - 4
  if (found.length < MAGIC.length || compareBytes(found.subarray(0, name), MAGIC.subarray(0, name)) !== 0) {
    throw new BackupDamagedError('this is no backup of metadata: its first bytes are not those of one')
  }
  const view = new DataView(found.buffer, found.byteOffset)
  const known = new DataView(MAGIC.buffer)
  assertKnownFormat('the backup', view.getUint32(name), known.getUint32(name))
  if (compareBytes(found, MAGIC) !== 0) throw new BackupDamagedError('the version of the backup is damaged')
}

interface ReadFrame {
  readonly head: FrameHead
  readonly headBytes: Uint8Array
  readonly payload: Uint8Array
}

async function readFrame(source: BackupSource, at: number): Promise<ReadFrame> {
  const headBytes = await readAt(source, at, FRAME_HEAD_BYTES)
  const head = readFrameHead(headBytes, at)
  const payload = await readAt(source, at + FRAME_HEAD_BYTES, head.storedBytes)
  assertFrame(headBytes, payload, at)
  return { head, headBytes, payload }
}

async function readAt(source: BackupSource, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  return bytes.subarray(0, await source.read(bytes, position))
}

async function chunkOf(head: FrameHead, payload: Uint8Array, at: number): Promise<BackupChunk> {
  const raw = await decompress({ codec: head.codec, payload }, head.rawBytes)
  if (raw === undefined) throw new BackupDamagedError(`the chunk at byte ${at} cannot be decompressed`)
  return { engine: head.engine, space: head.space, entries: unpackEntries(raw), at }
}

function follows(
  last: { readonly engine: number; readonly key: Uint8Array } | undefined,
  engine: number,
  key: Uint8Array,
): boolean {
  if (last === undefined || engine > last.engine) return true
  return engine === last.engine && compareBytes(last.key, key) < 0
}

function assertWhole(said: BackupTrailer, seen: BackupTrailer): void {
  if (said.entries !== seen.entries || said.chunks !== seen.chunks || said.bytes !== seen.bytes) {
    throw new BackupDamagedError(
      `the backup should hold ${said.entries} entries in ${said.chunks} chunks, and has ${seen.entries} in ${seen.chunks}`,
    )
  }
  if (said.sha256 !== seen.sha256) throw new BackupDamagedError('the backup does not match its own digest')
}
