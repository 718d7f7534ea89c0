/**
 * What ListObjects and ListObjectsV2 have in common.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
 */
import { ObjectStorageClass, type _Object } from '@aws-sdk/client-s3'
import { checksumAlgorithmNamed } from '../../../core/checksum/algorithms.ts'
import type { ObjectSummary } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { listingEncoder } from '../../rules/encoding-type.ts'
import { requireListLimit } from '../list-limit.ts'
import { checksumTypeOf, isOneOf } from '../objects/object-members.ts'

const storageClasses = new Set(Object.values(ObjectStorageClass))

export interface ListingInput {
  readonly Bucket: string
  readonly Prefix?: string | undefined
  readonly Delimiter?: string | undefined
  readonly EncodingType?: 'url' | undefined
  readonly MaxKeys?: number | undefined
}

export interface ListingPage {
  /** Members that both versions of the operation answer alike. */
  readonly members: {
    readonly Name: string
    readonly Prefix: string
    readonly Delimiter?: string
    readonly MaxKeys: number
    readonly EncodingType?: 'url'
    readonly IsTruncated: boolean
    readonly Contents?: _Object[]
    readonly CommonPrefixes?: { readonly Prefix: string }[]
  }
  /** Objects and common prefixes. */
  readonly count: number
  /** What the next page begins after, not encoded; undefined at the end. */
  readonly next: string | undefined
  /** The encoding of names that the request asked for. */
  readonly encode: (name: string) => string
}

export interface ListingOptions {
  /** Exclusive. */
  readonly after: string
  readonly owners: boolean
}

/**
 * One page. An empty delimiter counts as none.
 * @throws {S3Error} InvalidArgument for a negative `max-keys`
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function listPage(
  metadata: MetadataApi,
  { Bucket, Prefix = '', Delimiter = '', EncodingType, MaxKeys }: ListingInput,
  { after, owners }: ListingOptions,
  signal: AbortSignal,
): Promise<ListingPage> {
  const limit = requireListLimit('maxKeys', MaxKeys)
  const encode = listingEncoder(EncodingType)
  const page = await metadata.call(
    'listObjects',
    { bucket: Bucket, prefix: Prefix, delimiter: Delimiter, after, limit },
    signal,
  )
  const { objects, commonPrefixes } = page
  return {
    members: {
      Name: Bucket,
      Prefix: encode(Prefix),
      ...(Delimiter === '' ? {} : { Delimiter: encode(Delimiter) }),
      MaxKeys: limit,
      ...(EncodingType === undefined ? {} : { EncodingType }),
      IsTruncated: page.truncated,
      ...(objects.length === 0 ? {} : { Contents: objects.map((object) => entry(object, encode, owners)) }),
      ...(commonPrefixes.length === 0
        ? {}
        : { CommonPrefixes: commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })) }),
    },
    count: objects.length + commonPrefixes.length,
    next: page.truncated ? page.nextAfter : undefined,
    encode,
  }
}

/** What all listings tell of an object. */
export function describeEntry(
  object: ObjectSummary,
  encode: (name: string) => string,
): Pick<_Object, 'Key' | 'LastModified' | 'ETag' | 'ChecksumAlgorithm' | 'ChecksumType' | 'Size'> {
  const algorithms = object.checksumAlgorithms.flatMap((name) => checksumAlgorithmNamed(name) ?? [])
  const type = checksumTypeOf(object.checksumType)
  return {
    Key: encode(object.key),
    LastModified: new Date(Number(object.lastModifiedMs)),
    ETag: `"${object.etag}"`,
    ...(algorithms.length === 0 ? {} : { ChecksumAlgorithm: algorithms }),
    ...(type === undefined ? {} : { ChecksumType: type }),
    Size: Number(object.size),
  }
}

function entry(object: ObjectSummary, encode: (name: string) => string, owners: boolean): _Object {
  const { storageClass } = object
  return {
    ...describeEntry(object, encode),
    StorageClass: isOneOf(storageClasses, storageClass) ? storageClass : 'STANDARD',
    ...(owners ? { Owner: { ID: object.owner } } : {}),
  }
}
