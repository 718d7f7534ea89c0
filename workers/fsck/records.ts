/** Everything that metadata has, bucket by bucket, and what in it contradicts itself. */

import { FSCK_PAGE_RECORDS, FSCK_REQUESTS_IN_FLIGHT_MAX } from '../../core/limits.ts'
import { NULL_VERSION_ID } from '../../core/records/version-id.ts'
import { FailureCode, type VersionSummary } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type {
  BlobRecord,
  BucketRecord,
  ObjectRecord,
  PartRecord,
  UploadRecord,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata, eachOf } from '../blob/context.ts'
import type { Place } from '../blob/identify.ts'
import { annotationsOf } from './annotations.ts'
import type { FsckContext } from './context.ts'
import { isGone, unlessGone } from './gone.ts'
import { manifestOf } from './manifest.ts'
import type { Finding } from './finding.ts'

/** A blob that a record names. */
export interface NamedBlob {
  readonly place: Place
  readonly blob: BlobRecord
}

/** What walks over the records is given, page by page. */
export interface RecordVisitor {
  blobs(blobs: readonly NamedBlob[]): Promise<void>
  /** Of every object of a page. `parts`: in their order, undefined where it has no manifest. */
  object?(object: ObjectRecord, parts: readonly PartRecord[] | undefined): Promise<void>
}

/**
 * Walks over all records that the filters let through. Counts and tells only where `first`, since a check may have to walk
 * more than once.
 * @throws {MetadataError} metadata cannot be reached, or the signal's reason
 */
export async function walkRecords(
  context: FsckContext,
  first: boolean,
  visitor: RecordVisitor,
): Promise<void> {
  for await (const bucket of bucketsOf(context)) {
    if (first) {
      context.counts.buckets++
      await checkOwner(context, bucket)
    }
    const walk = new BucketWalk(context, bucket, first, visitor)
    await walk.versions()
    await walk.uploads()
  }
}

async function* bucketsOf({ world, signal, options }: FsckContext): AsyncGenerator<BucketRecord> {
  if (options.bucket !== undefined) {
    const { bucket } = await askMetadata(world, signal, 'getBucket', { name: options.bucket })
    if (bucket !== undefined) yield bucket
    return
  }
  let after = ''
  for (;;) {
    const request = { everyOwner: true, after, limit: FSCK_PAGE_RECORDS }
    const { buckets, truncated } = await askMetadata(world, signal, 'listBuckets', request)
    yield* buckets
    after = buckets.at(-1)?.name ?? ''
    if (!truncated || after === '') return
  }
}

async function checkOwner(context: FsckContext, { name, owner, createdMs }: BucketRecord): Promise<void> {
  const { world, signal, tell } = context
  const request = { owner, prefix: name, limit: 1 }
  const { buckets } = await askMetadata(world, signal, 'listBuckets', request)
  if (buckets[0]?.name === name) return
  const now = await unlessGone(askMetadata(world, signal, 'getBucket', { name }))
  if (now?.bucket?.owner !== owner || now.bucket.createdMs !== createdMs) return
  const detail = `the bucket is of ${owner}, who does not have it among their buckets`
  tell({ kind: 'owner-index', detail, place: { bucket: name } })
}

class BucketWalk {
  readonly #context: FsckContext
  readonly #bucket: string
  readonly #first: boolean
  readonly #visitor: RecordVisitor

  constructor(context: FsckContext, { name }: BucketRecord, first: boolean, visitor: RecordVisitor) {
    this.#context = context
    this.#bucket = name
    this.#first = first
    this.#visitor = visitor
  }

  async versions(): Promise<void> {
    const { world, signal, options, counts } = this.#context
    let markers = { keyMarker: '', versionIdMarker: '' }
    let previousNull: string | undefined
    for (;;) {
      const request = {
        bucket: this.#bucket,
        prefix: options.prefix ?? '',
        limit: FSCK_PAGE_RECORDS,
        ...markers,
      }
      const page = await unlessGone(askMetadata(world, signal, 'listVersions', request))
      if (page === undefined) return
      await eachOf(page.versions, FSCK_REQUESTS_IN_FLIGHT_MAX, (version) => this.#version(version))
      for (const { versionId, object, deleteMarker } of page.versions) {
        if (this.#first && deleteMarker) counts.deleteMarkers++
        if (versionId !== NULL_VERSION_ID || object === undefined) continue
        if (object.key === previousNull) await this.#twoNullVersions(object.key)
        previousNull = object.key
      }
      if (!page.truncated) return
      markers = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    }
  }

  async #version({ object: summary, versionId, deleteMarker }: VersionSummary): Promise<void> {
    const { world, signal, counts } = this.#context
    const key = summary?.key ?? ''
    const named = { bucket: this.#bucket, key, versionId }
    if (deleteMarker && versionId !== NULL_VERSION_ID) return
    let object: ObjectRecord | undefined
    try {
      object = (await askMetadata(world, signal, 'getObject', named)).object
    } catch (error) {
      if (!isGone(error)) throw error
      if (versionId === NULL_VERSION_ID && error.code === FailureCode.NO_SUCH_VERSION) {
        await this.#lostNullVersion(key)
      }
      return
    }
    if (object === undefined || object.deleteMarker) return
    if (this.#first) counts.objects++
    const place = { bucket: this.#bucket, key, version: object.version, part: 0, annotation: '' }
    const blobs: NamedBlob[] = []
    if (object.blob !== undefined) {
      blobs.push({ place: { ...place, blob: object.blob.id }, blob: object.blob })
    }
    this.#checkObject(object)
    let parts: readonly PartRecord[] | undefined
    if (object.manifest !== undefined) {
      parts = await manifestOf(this.#context, object, versionId, this.#first)
      blobs.push(...blobsOfParts(place, parts ?? []))
    }
    if (object.annotationCount > 0) {
      const annotations = await annotationsOf(this.#context, object, versionId, this.#first)
      if (this.#first) counts.annotations += annotations.length
      for (const { name, blob } of annotations) {
        if (blob !== undefined) blobs.push({ place: { ...place, annotation: name, blob: blob.id }, blob })
      }
    }
    await this.#give(blobs)
    await this.#visitor.object?.(object, parts)
  }

  async uploads(): Promise<void> {
    const { world, signal, options, counts } = this.#context
    let markers = { keyMarker: '', uploadIdMarker: '' }
    for (;;) {
      const request = {
        bucket: this.#bucket,
        prefix: options.prefix ?? '',
        limit: FSCK_PAGE_RECORDS,
        ...markers,
      }
      const page = await unlessGone(askMetadata(world, signal, 'listUploads', request))
      if (page === undefined) return
      if (this.#first) counts.uploads += page.uploads.length
      await eachOf(page.uploads, FSCK_REQUESTS_IN_FLIGHT_MAX, (upload) => this.#upload(upload))
      if (!page.truncated) return
      markers = { keyMarker: page.nextKeyMarker, uploadIdMarker: page.nextUploadIdMarker }
    }
  }

  async #upload({ key, uploadId }: UploadRecord): Promise<void> {
    const { world, signal } = this.#context
    const place = { bucket: this.#bucket, key, version: uploadId, part: 0, annotation: '' }
    let after = 0
    for (;;) {
      const request = { bucket: this.#bucket, key, uploadId, after, limit: FSCK_PAGE_RECORDS }
      const page = await unlessGone(askMetadata(world, signal, 'listParts', request))
      if (page === undefined) return
      for (const part of page.parts) this.#checkSize(part, { ...place, part: part.partNumber })
      await this.#give(blobsOfParts(place, page.parts))
      after = page.parts.at(-1)?.partNumber ?? 0
      if (!page.truncated || after === 0) return
    }
  }

  async #give(blobs: readonly NamedBlob[]): Promise<void> {
    if (this.#first) {
      this.#context.counts.recordBlobs += blobs.length
      for (const { blob } of blobs) this.#context.counts.recordBytes += Number(blob.size)
    }
    if (blobs.length > 0) await this.#visitor.blobs(blobs)
  }

  #checkObject(object: ObjectRecord): void {
    const { bucket, key, version, manifest, blob } = object
    const place = { bucket, key, version }
    if (manifest === undefined) this.#checkSize(object, place)
    else if (blob !== undefined) this.#record(place, 'it has a blob of its own and a manifest')
    if (bucket !== this.#bucket) this.#record(place, `it lies in the bucket ${this.#bucket}`)
  }

  #checkSize({ size, blob }: Pick<PartRecord, 'size' | 'blob'>, place: Finding['place']): void {
    if ((blob?.size ?? 0n) === size) return
    this.#record(place, `it is of ${size} bytes, its blob of ${blob?.size ?? 'none'}`)
  }

  #record(place: Finding['place'], detail: string): void {
    if (this.#first && place !== undefined) this.#context.tell({ kind: 'record', detail, place })
  }

  async #lostNullVersion(key: string): Promise<void> {
    if (!this.#first) return
    if ((await this.#nullVersions(key)) === 0) return
    const { world, signal, tell } = this.#context
    const named = { bucket: this.#bucket, key, versionId: NULL_VERSION_ID }
    try {
      await askMetadata(world, signal, 'getObject', named)
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.NO_SUCH_VERSION) return
      const detail = 'its null version is listed, and cannot be found: what leads to it is missing'
      tell({ kind: 'null-version', detail, place: { bucket: this.#bucket, key } })
    }
  }

  async #twoNullVersions(key: string): Promise<void> {
    if (!this.#first || (await this.#nullVersions(key)) < 2) return
    const detail = 'it has more than one null version'
    this.#context.tell({ kind: 'null-version', detail, place: { bucket: this.#bucket, key } })
  }

  /** How many of exactly this key are listed, on one page. */
  async #nullVersions(key: string): Promise<number> {
    const { world, signal } = this.#context
    const request = { bucket: this.#bucket, prefix: key, limit: FSCK_PAGE_RECORDS }
    const page = await unlessGone(askMetadata(world, signal, 'listVersions', request))
    const those = page?.versions.filter((one) => one.object?.key === key && one.versionId === NULL_VERSION_ID)
    return those?.length ?? 0
  }
}

function blobsOfParts(place: Omit<Place, 'blob'>, parts: readonly PartRecord[]): NamedBlob[] {
  return parts.flatMap(({ partNumber, blob }) =>
    blob === undefined ? [] : [{ place: { ...place, part: partNumber, blob: blob.id }, blob }],
  )
}
