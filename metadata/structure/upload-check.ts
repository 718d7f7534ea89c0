import { compareBytes, KeyReader } from '../../core/keyspace/bytes.ts'
import { partKey, readUploadKey, uploadKey } from '../../core/keyspace/keys.ts'
import { decodeUtf8 } from '../../core/keyspace/utf8.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { decodeRecord, partKind, uploadKind } from '../records.ts'
import type { Faults } from './faults.ts'
import type { GarbageIndex } from './garbage-index.ts'

/**
 * What must hold of the uploads to one key: they are given first, then the markers of those that have ended, then the parts of
 * either.
 */
export class UploadCheck {
  readonly #bucket: string
  readonly #key: string
  readonly #faults: Faults
  readonly #garbage: GarbageIndex
  readonly #uploads = new Set<string>()
  readonly #ended = new Set<string>()
  /** Parts of uploads that neither go on nor have ended. */
  readonly #lost = new Map<string, number>()

  constructor(bucket: string, key: string, faults: Faults, garbage: GarbageIndex) {
    this.#bucket = bucket
    this.#key = key
    this.#faults = faults
    this.#garbage = garbage
  }

  /** Whether uploads to the key are in progress. */
  get any(): boolean {
    return this.#uploads.size > 0
  }

  upload({ key, value }: EngineEntry): void {
    const upload = decodeRecord(uploadKind, value)
    const { uploadId } = readUploadKey(key)
    this.#uploads.add(uploadId)
    if (compareBytes(key, uploadKey(upload)) === 0) return
    this.#fault('record', `upload ${upload.uploadId} lies in the place of another`, uploadId)
  }

  purge({ key }: EngineEntry): void {
    const { uploadId } = readUploadKey(key)
    this.#ended.add(uploadId)
    if (!this.#uploads.has(uploadId)) return
    this.#fault('upload', `upload ${uploadId} is in progress, and its parts are to be removed`, uploadId)
  }

  part({ key, value }: EngineEntry): void {
    const reader = new KeyReader(key)
    reader.text()
    reader.text()
    const uploadId = decodeUtf8(reader.text())
    const { partNumber, size, blob } = decodeRecord(partKind, value)
    const place = { bucket: this.#bucket, key: this.#key, uploadId }
    if (compareBytes(key, partKey(place, partNumber)) !== 0) {
      this.#fault('record', `part ${partNumber} of upload ${uploadId} lies in the place of another`, uploadId)
    }
    if ((blob?.size ?? 0n) !== size) {
      const detail = `part ${partNumber} of upload ${uploadId} is of ${size} bytes, its blob is not`
      this.#fault('record', detail, uploadId)
    }
    if (!this.#uploads.has(uploadId)) {
      // Those of an upload that has ended are garbage, or an object's, or about to become either.
      if (!this.#ended.has(uploadId)) this.#lost.set(uploadId, (this.#lost.get(uploadId) ?? 0) + 1)
      return
    }
    if (!this.#garbage.has(blob)) return
    const detail = `the blob ${blob?.id ?? ''} of part ${partNumber} of upload ${uploadId} waits to be removed`
    this.#fault('live-garbage', detail, uploadId)
  }

  end(): void {
    for (const [uploadId, parts] of this.#lost) {
      const detail = `${parts} parts are there of upload ${uploadId}, which is not, and nothing removes them`
      this.#fault('upload', detail, uploadId)
    }
  }

  #fault(kind: 'record' | 'upload' | 'live-garbage', detail: string, version: string): void {
    this.#faults.add(kind, detail, { bucket: this.#bucket, key: this.#key, version })
  }
}
