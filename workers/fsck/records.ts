/** Everything that metadata has, bucket by bucket, and the blobs that it names. */

import { FSCK_PAGE_RECORDS, FSCK_REQUESTS_IN_FLIGHT_MAX } from '../../core/limits.ts'
import type { VersionSummary } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type {
  BlobRecord,
  BucketRecord,
  ObjectRecord,
  PartRecord,
  UploadRecord,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import { askMetadata, eachOf } from '../blob/context.ts'
import type { Place } from '../blob/identify.ts'
import { annotationsOf } from './annotations.ts'
import type { FsckContext } from './context.ts'
import { unlessUnreadable } from './gone.ts'
import { manifestOf } from './manifest.ts'

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
 * Walks over all records that the filters let through. Counts only where `first`, since a check may have to walk more than once.
 * @throws {MetadataError} metadata cannot be reached, or the signal's reason
 */
export async function walkRecords(
  context: FsckContext,
  first: boolean,
  visitor: RecordVisitor,
): Promise<void> {
  for await (const bucket of bucketsOf(context)) {
    if (first) context.counts.buckets++
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
    for (;;) {
      const request = {
        bucket: this.#bucket,
        prefix: options.prefix ?? '',
        limit: FSCK_PAGE_RECORDS,
        ...markers,
      }
      const what = `bucket ${this.#bucket}${markers.keyMarker === '' ? '' : `, keys from ${markers.keyMarker} on`}`
      const asking = askMetadata(world, signal, 'listVersions', request)
      const page = await unlessUnreadable(this.#context, what, asking)
      if (page === undefined) return
      await eachOf(page.versions, FSCK_REQUESTS_IN_FLIGHT_MAX, (version) => this.#version(version))
      if (this.#first) counts.deleteMarkers += page.versions.filter(({ deleteMarker }) => deleteMarker).length
      if (!page.truncated) return
      markers = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    }
  }

  async #version({ object: summary, versionId, deleteMarker }: VersionSummary): Promise<void> {
    const { world, signal, counts } = this.#context
    const key = summary?.key ?? ''
    const named = { bucket: this.#bucket, key, versionId }
    if (deleteMarker) return
    const asking = askMetadata(world, signal, 'getObject', named)
    const read = await unlessUnreadable(this.#context, `object ${this.#bucket}/${key}`, asking)
    const object = read?.object
    if (object === undefined || object.deleteMarker) return
    if (this.#first) counts.objects++
    const place = { bucket: this.#bucket, key, version: object.version, part: 0, annotation: '' }
    const blobs: NamedBlob[] = []
    if (object.blob !== undefined) {
      blobs.push({ place: { ...place, blob: object.blob.id }, blob: object.blob })
    }
    let parts: readonly PartRecord[] | undefined
    if (object.manifest !== undefined) {
      parts = await manifestOf(this.#context, object)
      blobs.push(...blobsOfParts(place, parts ?? []))
    }
    if (object.annotationCount > 0) {
      const annotations = await annotationsOf(this.#context, object, versionId)
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
      const what = `uploads of bucket ${this.#bucket}`
      const asking = askMetadata(world, signal, 'listUploads', request)
      const page = await unlessUnreadable(this.#context, what, asking)
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
      const what = `upload ${uploadId} to ${this.#bucket}/${key}`
      const page = await unlessUnreadable(
        this.#context,
        what,
        askMetadata(world, signal, 'listParts', request),
      )
      if (page === undefined) return
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
}

function blobsOfParts(place: Omit<Place, 'blob'>, parts: readonly PartRecord[]): NamedBlob[] {
  return parts.flatMap(({ partNumber, blob }) =>
    blob === undefined ? [] : [{ place: { ...place, part: partNumber, blob: blob.id }, blob }],
  )
}
