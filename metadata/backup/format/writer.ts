import { createHash, type Hash } from 'node:crypto'
import { BACKUP_CHUNK_BYTES } from '../../../core/limits.ts'
import type { DiskFile } from '../../../runtime/ports/disk.ts'
import type { EngineEntry } from '../../engine/engine.ts'
import { compress } from './compression.ts'
import { encodeDocument, type BackupHeader, type BackupTrailer } from './documents.ts'
import { packedBytes, packEntries } from './entries.ts'
import { CODECS, frame, FRAME_KINDS, MAGIC } from './frame.ts'

/**
 * Writes a backup's file from its start, a chunk at a time. A chunk holds keys of one engine and one space only, so that a
 * reader can go to a space without reading what comes before. Memory: one chunk, and its compressed form.
 */
export class BackupWriter {
  readonly #file: Pick<DiskFile, 'write' | 'sync'>
  readonly #hash: Hash = createHash('sha256')
  #position = 0
  #pending: EngineEntry[] = []
  #pendingBytes = 0
  #engine = 0
  #space = 0
  #entries = 0
  #chunks = 0
  #bytes = 0

  private constructor(file: Pick<DiskFile, 'write' | 'sync'>) {
    this.#file = file
  }

  /** @param file empty */
  static async start(file: Pick<DiskFile, 'write' | 'sync'>, header: BackupHeader): Promise<BackupWriter> {
    const writer = new BackupWriter(file)
    const fields = { kind: FRAME_KINDS.header, codec: CODECS.stored, engine: 0, space: 0 }
    await writer.#append([MAGIC, ...frame(fields, encodeDocument(header))])
    return writer
  }

  get entries(): number {
    return this.#entries
  }

  /** Bytes of the file so far. */
  get fileBytes(): number {
    return this.#position
  }

  /** Entries in order of key within their engine, engines in order. */
  async add(engine: number, entries: readonly EngineEntry[]): Promise<void> {
    for (const entry of entries) {
      const space = entry.key[0] ?? 0
      if (engine !== this.#engine || space !== this.#space || this.#pendingBytes >= BACKUP_CHUNK_BYTES) {
        await this.#flush()
        this.#engine = engine
        this.#space = space
      }
      this.#pending.push(entry)
      this.#pendingBytes += packedBytes(entry)
    }
  }

  /** Resolves when all of it is on stable storage. */
  async end(): Promise<BackupTrailer> {
    await this.#flush()
    const trailer = {
      entries: this.#entries,
      chunks: this.#chunks,
      bytes: this.#bytes,
      sha256: this.#hash.copy().digest('hex'),
    }
    const fields = { kind: FRAME_KINDS.trailer, codec: CODECS.stored, engine: 0, space: 0 }
    await this.#append(frame(fields, encodeDocument(trailer)))
    await this.#file.sync()
    return trailer
  }

  async #flush(): Promise<void> {
    if (this.#pending.length === 0) return
    const raw = packEntries(this.#pending)
    this.#entries += this.#pending.length
    for (const { key, value } of this.#pending) this.#bytes += key.length + value.length
    this.#pending = []
    this.#pendingBytes = 0
    this.#chunks++
    const { codec, payload } = await compress(raw)
    const fields = { kind: FRAME_KINDS.chunk, codec, engine: this.#engine, space: this.#space }
    await this.#append(frame(fields, payload, raw.length))
  }

  async #append(buffers: readonly Uint8Array[]): Promise<void> {
    for (const buffer of buffers) this.#hash.update(buffer)
    await this.#file.write(buffers, this.#position)
    for (const buffer of buffers) this.#position += buffer.length
  }
}
