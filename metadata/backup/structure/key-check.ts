import { compareBytes, KeyReader } from '../../../core/keyspace/bytes.ts'
import {
  annotationKey,
  manifestPageKey,
  objectKey,
  readAnnotationPurgeKey,
  readNullVersionValue,
  versionKey,
} from '../../../core/keyspace/keys.ts'
import { decodeUtf8 } from '../../../core/keyspace/utf8.ts'
import type { BlobRecord, ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../../engine/engine.ts'
import { annotationKind, decodeRecord, manifestKind, objectKind } from '../../records.ts'
import type { Faults } from './faults.ts'
import type { GarbageIndex } from './garbage-index.ts'

/** What a version says it has beside it, and what was found. */
interface Beside {
  readonly said: number
  found: number
}

/**
 * What must hold of all that lies under one key of a bucket: entries are given as they lie, current object first, then its other
 * versions, and so on; then {@link end} says what does not fit. Keeps of each version only what it says of others.
 */
export class KeyCheck {
  readonly #name: string
  readonly #bucket: string
  readonly #key: string
  readonly #faults: Faults
  readonly #garbage: GarbageIndex
  #current: ObjectRecord | undefined
  #newestOther: { readonly order: bigint; readonly deleteMarker: boolean } | undefined
  #nullOrder: bigint | undefined
  #nulls = 0
  #pointer: bigint | undefined
  readonly #versions = new Set<string>()
  readonly #annotations = new Map<string, Beside>()
  readonly #pages = new Map<string, Beside>()
  /** Of versions that are gone. */
  readonly #leftAnnotations = new Set<string>()

  constructor(bucket: string, key: string, faults: Faults, garbage: GarbageIndex) {
    this.#bucket = bucket
    this.#key = key
    this.#name = `${bucket}/${key}`
    this.#faults = faults
    this.#garbage = garbage
  }

  object({ key, value }: EngineEntry): void {
    const object = decodeRecord(objectKind, value)
    this.#current = object
    if (object.deleteMarker) this.#fault('a delete marker is the current object')
    this.#version(object, key, objectKey(object.bucket, object.key))
  }

  /** In their order: the newest first. */
  version({ key, value }: EngineEntry): void {
    const object = decodeRecord(objectKind, value)
    const { order, deleteMarker, versioned } = object
    this.#newestOther ??= { order, deleteMarker }
    if (!versioned) this.#nullOrder = order
    this.#version(object, key, versionKey(object.bucket, object.key, order))
  }

  nullPointer({ value }: EngineEntry): void {
    this.#pointer = readNullVersionValue(value)
  }

  page({ key, value }: EngineEntry): void {
    const reader = new KeyReader(key)
    reader.text()
    reader.text()
    const version = decodeUtf8(reader.text())
    const number = reader.number(4)
    const { parts } = decodeRecord(manifestKind, value)
    if (compareBytes(key, manifestPageKey(this.#bucket, this.#key, version, number)) !== 0) {
      this.#fault(`page ${number} of version ${version} lies in the wrong place`)
    }
    const beside = this.#pages.get(version)
    if (beside !== undefined) {
      beside.found++
      for (const { blob } of parts) this.#blob(blob)
    } else if (!this.#garbage.keepsPage(version, number)) {
      this.#fault(`page ${number} belongs to version ${version}, which is not there`)
    }
  }

  annotation({ key, value }: EngineEntry): void {
    const reader = new KeyReader(key)
    reader.text()
    reader.text()
    const version = decodeUtf8(reader.text())
    const { name, blob } = decodeRecord(annotationKind, value)
    const place = { bucket: this.#bucket, key: this.#key, version }
    if (compareBytes(key, annotationKey(place, name)) !== 0) {
      this.#fault(`annotation ${name} lies in the wrong place`)
    }
    if (!this.#versions.has(version)) {
      this.#leftAnnotations.add(version)
      return
    }
    const beside = this.#annotations.get(version) ?? { said: 0, found: 0 }
    beside.found++
    this.#annotations.set(version, beside)
    this.#blob(blob)
  }

  annotationPurge({ key }: EngineEntry): void {
    this.#leftAnnotations.delete(readAnnotationPurgeKey(key).version)
  }

  end(): void {
    this.#endOfVersions()
    for (const [version, { said, found }] of this.#annotations) {
      if (said !== found) this.#fault(`version ${version} should have ${said} annotations, and has ${found}`)
    }
    for (const [version, { said, found }] of this.#pages) {
      if (said === found) continue
      this.#fault(`version ${version} should have ${said} manifest pages, and has ${found}`)
    }
    for (const version of this.#leftAnnotations) {
      this.#fault(`annotations of version ${version}, which is not there, are not to be purged`)
    }
  }

  #endOfVersions(): void {
    const other = this.#newestOther
    if (other !== undefined && this.#current === undefined && !other.deleteMarker) {
      this.#fault('its newest version is an object, and not the current one')
    }
    if (other !== undefined && this.#current !== undefined && this.#current.order <= other.order) {
      this.#fault('its current object is older than another version')
    }
    if (this.#nulls > 1) this.#fault(`it has ${this.#nulls} null versions`)
    if (this.#pointer !== this.#nullOrder) {
      this.#fault(
        this.#pointer === undefined
          ? 'nothing leads to its null version'
          : `its pointer leads to a null version of order ${this.#pointer}, which is not there`,
      )
    }
  }

  #version(object: ObjectRecord, at: Uint8Array, place: Uint8Array): void {
    const { version, versioned, annotationCount, manifest, blob } = object
    if (compareBytes(at, place) !== 0) this.#fault(`version ${version} lies in the place of another`)
    if (this.#versions.has(version)) this.#fault(`version ${version} lies in two places`)
    this.#versions.add(version)
    if (!versioned) this.#nulls++
    if (annotationCount > 0) this.#annotations.set(version, { said: annotationCount, found: 0 })
    const pages = manifest?.pageOffsets.length ?? 0
    if (pages > 0) this.#pages.set(version, { said: pages, found: 0 })
    this.#blob(blob)
  }

  #blob(blob: BlobRecord | undefined): void {
    if (this.#garbage.has(blob)) this.#fault(`its blob ${blob?.id ?? ''} is to be removed as garbage`)
  }

  #fault(what: string): void {
    this.#faults.add(`${this.#name}: ${what}`)
  }
}
