import type { ChecksumAlgorithm } from '../core/checksum/algorithms.ts'
import type { MetadataApi, MetadataRequestInit } from '../proto/metadata-api.ts'
import type {
  AnnotationRecord,
  Checksum,
  ObjectRecord,
  PartRecord,
} from '../proto/gen/ashlar/v1/records_pb.js'

/** What the gateway and the workers see of the cluster: bytes through the store, records through metadata. */
export interface Store {
  /** Buckets, listings, deletes, uploads: everything that moves no bytes. */
  readonly metadata: MetadataApi

  /**
   * Writes an object's bytes as shards, then its record. Resolves under the acknowledgement contract (DESIGN §6):
   * what it resolved survives the loss of one more node.
   *
   * @throws {StoreError} the write could not be made; `unknown` when it may nevertheless be there
   * @throws {MetadataError} the commit was refused (no such bucket, precondition failed …)
   * @throws whatever the content or `accept` threw, after which nothing of the write is visible
   */
  putObject(request: PutObject, signal?: AbortSignal): Promise<ObjectRecord>

  /** The same for one part of a multipart upload. */
  putPart(request: PutPart, signal?: AbortSignal): Promise<PartRecord>

  /** The same for an annotation of a version of an object. */
  putAnnotation(request: PutAnnotation, signal?: AbortSignal): Promise<PutAnnotationResult>

  /**
   * The bytes `[start, end)` of an object, in pieces that are the caller's to keep. Reconstructs what
   * is missing, corrupt or slow.
   * @throws {StoreError} `unreadable` if too few shards can be had
   */
  readObject(record: ObjectRecord, range: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>

  /** The same for all of an annotation of that object. */
  readAnnotation(
    object: ObjectRecord,
    annotation: AnnotationRecord,
    signal?: AbortSignal,
  ): AsyncIterable<Uint8Array>
}

/** Half open: `start` inclusive, `end` exclusive; 0 ≤ start ≤ end ≤ size. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** Bytes to be written: exactly `size` of them, or an error. */
export interface Content {
  readonly size: number
  /** True when `size` is a bound: the content is as long as its bytes turn out to be, and no longer than that. */
  readonly atMost?: boolean
  readonly bytes: AsyncIterable<Uint8Array>
  /** Digests to take as the bytes pass, off the event loop when they are many. */
  readonly digests: readonly DigestName[]
  /**
   * Called once with all the digests, after the last byte and before anything is committed. It checks them against
   * what the client declared and names the ETag; what it throws refuses the write.
   */
  accept(digests: ReadonlyMap<DigestName, Uint8Array>): AcceptedContent
}

export interface AcceptedContent {
  /** Without quotes. */
  readonly etag: string
  readonly checksums: readonly Omit<Checksum, '$typeName'>[]
}

/** Any that S3 knows. */
export type DigestName = ChecksumAlgorithm

type CommitObject = MetadataRequestInit<'commitObject'>
type ObjectInit = NonNullable<CommitObject['object']>

export interface PutObject {
  readonly bucket: string
  readonly key: string
  /** Account id. */
  readonly owner: string
  readonly headers: NonNullable<ObjectInit['headers']>
  readonly storageClass: string
  /** None when absent. */
  readonly tags?: NonNullable<ObjectInit['tags']>
  /** Absent: nobody but the owner. */
  readonly acl?: NonNullable<ObjectInit['acl']>
  readonly conditions: NonNullable<CommitObject['conditions']>
  readonly content: Content
}

export interface PutPart {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
  /** 1 to 10,000. */
  readonly partNumber: number
  readonly storageClass: string
  readonly content: Content
}

export interface PutAnnotation {
  /** The version that it is to belong to. */
  readonly object: Pick<ObjectRecord, 'bucket' | 'key' | 'version' | 'order' | 'versioned'>
  readonly name: string
  /** ETag that the object must have, without quotes, or `*`; absent: any. */
  readonly ifMatch?: string
  /** Not empty. */
  readonly content: Content
}

export interface PutAnnotationResult {
  readonly annotation: AnnotationRecord
  /** As it is with the annotation. */
  readonly object: ObjectRecord
}

export type StoreErrorCode =
  /** Too few nodes could take the shards; nothing was committed. Come again. */
  | 'unwritable'
  /** The commit was sent and its answer never came: it may be there. */
  | 'unknown'
  /** Fewer than k shards of a stripe can be had at the moment, or ever. */
  | 'unreadable'
  /** Memory for stripes did not come free in time. Come again. */
  | 'overloaded'
  /** The content ended early, or went on past its size. */
  | 'size-mismatch'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
