import { create } from '@bufbuild/protobuf'
import {
  ListObjectsReplySchema,
  ListUploadsReplySchema,
  ListVersionsReplySchema,
  type ObjectSummary,
  type VersionSummary,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { UploadRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataReply, MetadataRequestInit } from '../../proto/metadata-api.ts'

export type ListingOperation = 'listObjects' | 'listVersions' | 'listUploads'

/** After what a listing goes on: a key or common prefix, and of a key with several entries, which one. */
export interface Marker {
  readonly key: string
  readonly id: string
}

export const NO_MARKER: Marker = { key: '', id: '' }

/** What is asked for, whichever the listing. */
export interface ListingQuery {
  readonly bucket: string
  readonly prefix: string
  readonly delimiter: string
  readonly marker: Marker
  /** Inclusive. */
  readonly from: string
  readonly limit: number
}

/** What the three listings have in common, and in which fields. */
export interface ListingKind<K extends ListingOperation, Entry> {
  readonly operation: K
  query(request: MetadataRequestInit<K>): ListingQuery
  request(query: ListingQuery): MetadataRequestInit<K>
  entries(reply: MetadataReply<K>): readonly Entry[]
  /** Where an entry stands. */
  markerOf(entry: Entry): Marker
  /** After what a truncated page goes on. */
  next(reply: MetadataReply<K>): Marker
  /** @param next undefined: there is no more */
  reply(
    entries: readonly Entry[],
    commonPrefixes: readonly string[],
    next: Marker | undefined,
  ): MetadataReply<K>
}

export const objectListing: ListingKind<'listObjects', ObjectSummary> = {
  operation: 'listObjects',
  query: ({ bucket = '', prefix = '', delimiter = '', after = '', from = '', limit = 0 }) => ({
    bucket,
    prefix,
    delimiter,
    marker: { key: after, id: '' },
    from,
    limit,
  }),
  request: ({ marker, ...query }) => ({ ...query, after: marker.key }),
  entries: ({ objects }) => objects,
  markerOf: ({ key }) => ({ key, id: '' }),
  next: ({ nextAfter }) => ({ key: nextAfter, id: '' }),
  reply: (objects, commonPrefixes, next) =>
    create(ListObjectsReplySchema, {
      objects: [...objects],
      commonPrefixes: [...commonPrefixes],
      truncated: next !== undefined,
      nextAfter: next?.key ?? '',
    }),
}

export const versionListing: ListingKind<'listVersions', VersionSummary> = {
  operation: 'listVersions',
  query: ({
    bucket = '',
    prefix = '',
    delimiter = '',
    keyMarker = '',
    versionIdMarker = '',
    from = '',
    limit = 0,
  }) => ({ bucket, prefix, delimiter, marker: { key: keyMarker, id: versionIdMarker }, from, limit }),
  request: ({ marker, ...query }) => ({ ...query, keyMarker: marker.key, versionIdMarker: marker.id }),
  entries: ({ versions }) => versions,
  markerOf: ({ object, versionId }) => ({ key: object?.key ?? '', id: versionId }),
  next: ({ nextKeyMarker, nextVersionIdMarker }) => ({ key: nextKeyMarker, id: nextVersionIdMarker }),
  reply: (versions, commonPrefixes, next) =>
    create(ListVersionsReplySchema, {
      versions: [...versions],
      commonPrefixes: [...commonPrefixes],
      truncated: next !== undefined,
      nextKeyMarker: next?.key ?? '',
      nextVersionIdMarker: next?.id ?? '',
    }),
}

export const uploadListing: ListingKind<'listUploads', UploadRecord> = {
  operation: 'listUploads',
  query: ({
    bucket = '',
    prefix = '',
    delimiter = '',
    keyMarker = '',
    uploadIdMarker = '',
    from = '',
    limit = 0,
  }) => ({ bucket, prefix, delimiter, marker: { key: keyMarker, id: uploadIdMarker }, from, limit }),
  request: ({ marker, ...query }) => ({ ...query, keyMarker: marker.key, uploadIdMarker: marker.id }),
  entries: ({ uploads }) => uploads,
  markerOf: ({ key, uploadId }) => ({ key, id: uploadId }),
  next: ({ nextKeyMarker, nextUploadIdMarker }) => ({ key: nextKeyMarker, id: nextUploadIdMarker }),
  reply: (uploads, commonPrefixes, next) =>
    create(ListUploadsReplySchema, {
      uploads: [...uploads],
      commonPrefixes: [...commonPrefixes],
      truncated: next !== undefined,
      nextKeyMarker: next?.key ?? '',
      nextUploadIdMarker: next?.id ?? '',
    }),
}
