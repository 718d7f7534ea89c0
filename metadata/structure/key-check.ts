import { compareBytes, KeyReader } from '../../core/keyspace/bytes.ts'
import {
  annotationKey,
  manifestPageKey,
  objectKey,
  readAnnotationPurgeKey,
  readNullVersionValue,
  versionKey,
} from '../../core/keyspace/keys.ts'
import { decodeUtf8 } from '../../core/keyspace/utf8.ts'
import type { BlobRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { annotationKind, decodeRecord, manifestKind, objectKind } from '../records.ts'
import type { Faults } from './faults.ts'
import type { GarbageIndex } from './garbage-index.ts'
import type { FaultKind } from './kinds.ts'
import { ManifestCheck } from './manifest-check.ts'

/** What a version says it has beside it, and what was found. */
interface Beside {
  readonly said: number
  found: number
}

/**
 * What must hold of the versions of one key of a bucket: entries are given as they lie, current object first, then its other
 * versions, and so on; then {@link end} says what does not fit. Keeps of each version only what it says of others.
 */
export class KeyCheck {
  readonly #bucket: string
  readonly #key: string
  readonly #faults: Faults
  readonly #garbage: GarbageIndex
  #current: ObjectRecord | undefined
  #newestOther: { readonly order: bigint; readonly deleteMarker: boolean } | undefined
  #nullOrder: bigint | undefined
  #nulls = 0
  #pointer: bigint | undefined
  #orderMax = 0n
  readonly #versions = new Set<string>()
  readonly #annotations = new Map<string, Beside>()
  readonly #manifests = new Map<string, ManifestCheck>()
  /** Of versions that are gone. */
  readonly #leftAnnotations = new Set<string>()

  constructor(bucket: string, key: string, faults: Faults, garbage: GarbageIndex) {
    this.#bucket = bucket
    this.#key = key
    this.#faults = faults
    this.#garbage = garbage
  }

  /** Whether the key has any version. */
  get any(): boolean {
    return this.#versions.size > 0
  }

  /** The highest order of its versions; 0: none has any. */
  get orderMax(): bigint {
    return this.#orderMax
  }

  object({ key, value }: EngineEntry): void {
    const object = decodeRecord(objectKind, value)
    this.#current = object
    if (object.deleteMarker) this.#fault('versions', 'a delete marker is the current object', object.version)
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
    const page = decodeRecord(manifestKind, value)
    if (compareBytes(key, manifestPageKey(this.#bucket, this.#key, version, number)) !== 0) {
      this.#fault('record', `page ${number} of version ${version} lies in the wrong place`, version)
    }
    const manifest = this.#manifests.get(version)
    if (manifest !== undefined) {
      manifest.page(number, page)
      for (const { blob } of page.parts) this.#blob(blob, version)
    } else if (!this.#garbage.keepsPage(version, number)) {
      this.#fault('manifest', `page ${number} belongs to version ${version}, which is not there`, version)
    }
  }

  annotation({ key, value }: EngineEntry): void {
    const reader = new KeyReader(key)
    reader.text()
    reader.text()
    const version = decodeUtf8(reader.text())
    const { name, size, blob } = decodeRecord(annotationKind, value)
    const place = { bucket: this.#bucket, key: this.#key, version }
    if (compareBytes(key, annotationKey(place, name)) !== 0) {
      this.#fault('record', `annotation ${name} lies in the wrong place`, version)
    }
    if ((blob?.size ?? 0n) !== size) {
      this.#fault('record', `annotation ${name} is of ${size} bytes, its blob is not`, version)
    }
    if (!this.#versions.has(version)) {
      this.#leftAnnotations.add(version)
      return
    }
    const beside = this.#annotations.get(version) ?? { said: 0, found: 0 }
    beside.found++
    this.#annotations.set(version, beside)
    this.#blob(blob, version)
  }

  annotationPurge({ key }: EngineEntry): void {
    const { version } = readAnnotationPurgeKey(key)
    this.#leftAnnotations.delete(version)
    if (!this.#versions.has(version)) return
    this.#fault('purge', `version ${version} is there, and its annotations are to be removed`, version)
  }

  end(): void {
    this.#endOfVersions()
    for (const [version, { said, found }] of this.#annotations) {
      if (said === found) continue
      this.#fault(
        'annotations',
        `version ${version} should have ${said} annotations, and has ${found}`,
        version,
      )
    }
    for (const [version, manifest] of this.#manifests) {
      const fault = manifest.end()
      if (fault !== undefined) this.#fault('manifest', `version ${version}: ${fault}`, version)
    }
    for (const version of this.#leftAnnotations) {
      const detail = `annotations of version ${version}, which is not there, are not to be purged`
      this.#fault('annotations', detail, version)
    }
  }

  #endOfVersions(): void {
    const other = this.#newestOther
    if (other !== undefined && this.#current === undefined && !other.deleteMarker) {
      this.#fault('versions', 'its newest version is an object, and not the current one')
    }
    if (other !== undefined && this.#current !== undefined && this.#current.order <= other.order) {
      this.#fault('versions', 'its current object is older than another version')
    }
    if (this.#nulls > 1) this.#fault('null-version', `it has ${this.#nulls} null versions`)
    if (this.#pointer !== this.#nullOrder) {
      const detail =
        this.#pointer === undefined
          ? 'nothing leads to its null version'
          : `its pointer leads to a null version of order ${this.#pointer}, which is not there`
      this.#fault('null-version', detail)
    }
  }

  #version(object: ObjectRecord, at: Uint8Array, place: Uint8Array): void {
    const { version, versioned, order, annotationCount, manifest, blob, size } = object
    if (compareBytes(at, place) !== 0) {
      this.#fault('record', `version ${version} lies in the place of another`, version)
    }
    if (this.#versions.has(version)) {
      this.#fault('versions', `version ${version} lies in two places`, version)
    }
    this.#versions.add(version)
    if (!versioned) this.#nulls++
    if (order > this.#orderMax) this.#orderMax = order
    if (annotationCount > 0) this.#annotations.set(version, { said: annotationCount, found: 0 })
    if (manifest !== undefined) {
      this.#manifests.set(version, new ManifestCheck(object))
      if (blob !== undefined) {
        this.#fault('record', `version ${version} has a blob of its own and a manifest`, version)
      }
    } else if ((blob?.size ?? 0n) !== size) {
      const detail = `version ${version} is of ${size} bytes, its blob of ${blob?.size ?? 'none'}`
      this.#fault('record', detail, version)
    }
    this.#blob(blob, version)
  }

  #blob(blob: BlobRecord | undefined, version: string): void {
    if (!this.#garbage.has(blob)) return
    this.#fault('live-garbage', `its blob ${blob?.id ?? ''} is to be removed as garbage`, version)
  }

  #fault(kind: FaultKind, detail: string, version?: string): void {
    const place = { bucket: this.#bucket, key: this.#key }
    this.#faults.add(kind, detail, version === undefined ? place : { ...place, version })
  }
}
