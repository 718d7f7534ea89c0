import { create } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import {
  annotationKey,
  manifestPageKey,
  objectKey,
  partKey,
  uploadKey,
  versionsOfKey,
} from '../../core/keyspace/keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX, MANIFEST_PAGE_PARTS } from '../../core/limits.ts'
import { ANNOTATION_STORAGE_CLASS } from '../../core/records/annotation.ts'
import type { BlobPlace } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import {
  AnnotationRecordSchema,
  type BlobRecord,
  BucketVersioning,
  type ManifestPage,
  ManifestPageSchema,
  ObjectRecordSchema,
  PartRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import {
  annotationKind,
  decodeRecord,
  encodeRecord,
  manifestKind,
  objectKind,
  partKind,
  uploadKind,
  versionOf,
} from '../records.ts'
import type { FoundVersion } from './find-version.ts'
import { guessVersion } from './guess-version.ts'
import type { Partition } from './partition.ts'

/** A blob that a record names. */
export interface NamedBlob {
  /** As the record has it. Frozen, or the caller's own. */
  readonly blob: BlobRecord
  readonly storageClass: string
  /** The record with another blob in its place, nothing else being changed. */
  with(replacement: BlobRecord): EngineEntry
}

/** `waits`: a record names it that belongs to nothing any more, and will be made garbage in the background. */
export type Sighting = NamedBlob | 'waits' | undefined

/**
 * Looks for the records that name blobs of one key, as the next decision must see them: what is pending counts. The caller
 * holds the key's lock. So a commit that would name a blob has either been decided, and is seen, or will be decided later.
 */
export async function findBlobs(
  partition: Partition,
  bucket: string,
  key: string,
  places: readonly BlobPlace[],
): Promise<Sighting[]> {
  const found = await partition.buckets.read(bucket)
  if (found === undefined) return places.map(() => undefined)
  const search = new Search(partition, bucket, key, found.versioning)
  return search.run(places)
}

class Search {
  readonly #partition: Partition
  readonly #bucket: string
  readonly #key: string
  readonly #versioning: BucketVersioning
  readonly #versions = new Map<string, FoundVersion>()
  /** By engine key's text. */
  readonly #pages = new Map<string, ManifestPage>()

  constructor(partition: Partition, bucket: string, key: string, versioning: BucketVersioning) {
    this.#partition = partition
    this.#bucket = bucket
    this.#key = key
    this.#versioning = versioning
  }

  async run(places: readonly BlobPlace[]): Promise<Sighting[]> {
    const sightings = places.map((): Sighting => undefined)
    // A version that is an upload in progress is not looked for among those of the key.
    const later: number[] = []
    for (const [index, place] of places.entries()) {
      const part = place.part === 0 || place.annotation !== '' ? 'no upload' : await this.#ofUpload(place)
      if (part === 'no upload') later.push(index)
      else sightings[index] = part
    }
    await this.#findVersions(new Set(later.map((index) => places[index]?.version ?? '')))
    for (const index of later) {
      const place = places[index]
      if (place !== undefined) sightings[index] = await this.#ofVersion(place)
    }
    return sightings
  }

  async #ofUpload({ version, part, blob }: BlobPlace): Promise<Sighting | 'no upload'> {
    const place = { bucket: this.#bucket, key: this.#key, uploadId: version }
    const upload = await this.#partition.view(uploadKind, uploadKey(place))
    if (upload === undefined) return 'no upload'
    const at = partKey(place, part)
    const record = await this.#partition.view(partKind, at)
    if (record?.blob?.id !== blob) return undefined
    return {
      blob: record.blob,
      storageClass: upload.storageClass,
      with(replacement) {
        const { $typeName: _, ...fields } = record
        const changed = create(PartRecordSchema, { ...fields, blob: replacement })
        return { key: at, value: encodeRecord(partKind, changed) }
      },
    }
  }

  async #ofVersion(place: BlobPlace): Promise<Sighting> {
    const version = this.#versions.get(place.version)
    if (place.annotation !== '') return this.#ofAnnotation(place, version)
    if (version === undefined) return undefined
    if (place.part !== 0) return this.#ofManifest(place, version)
    const { at, object } = version
    if (object.blob?.id !== place.blob) return undefined
    return {
      blob: object.blob,
      storageClass: object.storageClass,
      with(replacement) {
        const { $typeName: _, ...fields } = object
        const changed = create(ObjectRecordSchema, { ...fields, blob: replacement })
        return { key: at, value: encodeRecord(objectKind, changed) }
      },
    }
  }

  async #ofAnnotation(place: BlobPlace, version: FoundVersion | undefined): Promise<Sighting> {
    const owner = { bucket: this.#bucket, key: this.#key, version: place.version }
    const at = annotationKey(owner, place.annotation)
    const record = await this.#partition.view(annotationKind, at)
    if (record?.blob?.id !== place.blob) return undefined
    if (version === undefined) return 'waits'
    return {
      blob: record.blob,
      storageClass: ANNOTATION_STORAGE_CLASS,
      with(replacement) {
        const { $typeName: _, ...fields } = record
        const changed = create(AnnotationRecordSchema, { ...fields, blob: replacement })
        return { key: at, value: encodeRecord(annotationKind, changed) }
      },
    }
  }

  /**
   * Numbers ascend, so the page of a part is at the latest the one it would be on if no number were left out, which is the
   * first to be looked at; then the range of pages is halved.
   */
  async #ofManifest(place: BlobPlace, { object }: FoundVersion): Promise<Sighting> {
    let low = 0
    let high = (object.manifest?.pageOffsets.length ?? 0) - 1
    high = Math.min(high, Math.floor((place.part - 1) / MANIFEST_PAGE_PARTS))
    for (let probe = high; low <= high; probe = (low + high) >>> 1) {
      const at = manifestPageKey(this.#bucket, this.#key, place.version, probe)
      const page = await this.#page(at, `${place.version} ${probe}`)
      if (place.part < (page.parts[0]?.partNumber ?? 0)) high = probe - 1
      else if (place.part > (page.parts.at(-1)?.partNumber ?? 0)) low = probe + 1
      else return onPage(at, page, place, object.storageClass)
    }
    return undefined
  }

  async #page(at: Uint8Array, name: string): Promise<ManifestPage> {
    const known = this.#pages.get(name)
    if (known !== undefined) return known
    const page = await this.#partition.view(manifestKind, at)
    // To call a blob of a missing page nobody's would be to lose it for good.
    if (page === undefined) {
      throw new Error(`manifest page ${name} of ${this.#bucket}/${this.#key} is missing`)
    }
    this.#pages.set(name, page)
    return page
  }

  /** The current object, then, as far as needed, all others, the newest first. */
  async #findVersions(wanted: Set<string>): Promise<void> {
    if (wanted.size === 0) return
    const at = objectKey(this.#bucket, this.#key)
    const current = await this.#partition.view(objectKind, at)
    if (current !== undefined && wanted.delete(current.version)) {
      this.#versions.set(current.version, { at, object: current })
    }
    if (wanted.size === 0 || this.#versioning === BucketVersioning.NEVER) return
    await this.#partition.settled()
    const { gte, lt } = versionsOfKey(this.#bucket, this.#key)
    let cursor = gte
    for (let guessed = false; ;) {
      const entries = await this.#partition.scan({ gte: cursor, lt, limit: ENGINE_SCAN_ENTRIES_MAX })
      for (const entry of entries) {
        const version = versionOf(entry.value)
        if (wanted.delete(version)) this.#found(version, entry)
      }
      const last = entries.at(-1)
      if (wanted.size === 0 || last === undefined || entries.length < ENGINE_SCAN_ENTRIES_MAX) return
      cursor = next(last.key)
      if (!guessed) await this.#guess(wanted, last)
      guessed = true
      if (wanted.size === 0) return
    }
  }

  /** Spares a walk over all of very many versions, as a rule. @param last of those that were looked at, newer than all to come */
  async #guess(wanted: Set<string>, last: EngineEntry): Promise<void> {
    const { order } = decodeRecord(objectKind, last.value)
    for (const version of wanted) {
      const entry = await guessVersion(this.#partition, this.#bucket, this.#key, version, order)
      if (entry === undefined) continue
      wanted.delete(version)
      this.#found(version, entry)
    }
  }

  #found(version: string, { key, value }: EngineEntry): void {
    this.#versions.set(version, { at: key, object: decodeRecord(objectKind, value) })
  }
}

function onPage(at: Uint8Array, page: ManifestPage, place: BlobPlace, storageClass: string): Sighting {
  const part = page.parts.find(({ partNumber }) => partNumber === place.part)
  if (part?.blob?.id !== place.blob) return undefined
  return {
    blob: part.blob,
    storageClass,
    with(replacement) {
      const parts = page.parts.map((one) => {
        if (one !== part) return one
        const { $typeName: _, ...fields } = one
        return create(PartRecordSchema, { ...fields, blob: replacement })
      })
      return { key: at, value: encodeRecord(manifestKind, create(ManifestPageSchema, { parts })) }
    },
  }
}
