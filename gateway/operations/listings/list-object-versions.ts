import type {
  DeleteMarkerEntry,
  ListObjectVersionsCommandInput,
  ListObjectVersionsCommandOutput,
  ObjectVersion,
  ObjectVersionStorageClass,
} from '@aws-sdk/client-s3'
import type { ObjectSummary, VersionSummary } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { invalidArgument, type S3Error } from '../../errors/s3-error.ts'
import { listingEncoder } from '../../rules/encoding-type.ts'
import { listingStart } from '../../rules/listing-marker.ts'
import { isVersionId } from '../../rules/version-id.ts'
import { ITEM_ORDER } from '../../schema/xml-writer.ts'
import { requireListLimit } from '../list-limit.ts'
import type { OperationInput } from '../operation.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { describeEntry } from './listing.ts'

type Input = OperationInput<ListObjectVersionsCommandInput>

/**
 * Versions and delete markers, mixed: by key, and the newest of a key first. A page ends with the markers that the next
 * one begins after.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
 */
export function listObjectVersions({
  store: { metadata },
}: S3Services): S3Handler<ListObjectVersionsCommandInput, ListObjectVersionsCommandOutput> {
  return async (input, { signal }) => {
    const { Bucket, Prefix = '', Delimiter = '', KeyMarker = '', EncodingType } = input
    // In other words than the other listings, as versity/versitygw's integration suite records it of the service.
    if (input.MaxKeys !== undefined && input.MaxKeys < 0) {
      throw invalidArgument('maxKeys', String(input.MaxKeys), 'max-keys cannot be negative')
    }
    const limit = requireListLimit('maxKeys', input.MaxKeys)
    const givenVersionId = requireVersionIdMarker(input)
    const keyMarker = listingStart(KeyMarker, Prefix, Delimiter)
    const versionIdMarker = keyMarker === KeyMarker ? givenVersionId : ''
    const encode = listingEncoder(EncodingType)
    const page = await metadata.call(
      'listVersions',
      { bucket: Bucket, prefix: Prefix, delimiter: Delimiter, keyMarker, versionIdMarker, limit },
      signal,
    )
    const { nextKeyMarker, nextVersionIdMarker } = page
    const output: ListObjectVersionsMembers = {
      Name: Bucket,
      Prefix: encode(Prefix),
      KeyMarker: encode(KeyMarker),
      VersionIdMarker: input.VersionIdMarker ?? '',
      ...(page.truncated ? { NextKeyMarker: encode(nextKeyMarker) } : {}),
      ...(page.truncated && nextVersionIdMarker !== '' ? { NextVersionIdMarker: nextVersionIdMarker } : {}),
      MaxKeys: limit,
      ...(Delimiter === '' ? {} : { Delimiter: encode(Delimiter) }),
      ...(EncodingType === undefined ? {} : { EncodingType }),
      IsTruncated: page.truncated,
      ...entries(page.versions, encode),
      ...(page.commonPrefixes.length === 0
        ? {}
        : { CommonPrefixes: page.commonPrefixes.map((prefix) => ({ Prefix: encode(prefix) })) }),
    }
    return output
  }
}

interface Entries {
  Versions: ObjectVersion[]
  DeleteMarkers: DeleteMarkerEntry[]
  [ITEM_ORDER]: ('Versions' | 'DeleteMarkers')[]
}

type ListObjectVersionsMembers = Omit<ListObjectVersionsCommandOutput, '$metadata'> & Entries

function entries(versions: readonly VersionSummary[], encode: (name: string) => string): Entries {
  const mixed: Entries = { Versions: [], DeleteMarkers: [], [ITEM_ORDER]: [] }
  for (const { object, versionId, latest, deleteMarker } of versions) {
    if (object === undefined) throw new Error('metadata listed a version without its object')
    const named = { VersionId: versionId, IsLatest: latest, Owner: { ID: object.owner } }
    mixed[ITEM_ORDER].push(deleteMarker ? 'DeleteMarkers' : 'Versions')
    if (deleteMarker) {
      const { Key, LastModified } = describeEntry(object, encode)
      mixed.DeleteMarkers.push({ Key, LastModified, ...named })
    } else {
      mixed.Versions.push({ ...describeEntry(object, encode), StorageClass: classOf(object), ...named })
    }
  }
  return mixed
}

function classOf({ storageClass }: ObjectSummary): ObjectVersionStorageClass {
  // The SDK's constants know STANDARD alone, but S3 tells every class (API Reference, ObjectVersion: "The class of
  // storage used to store the object").
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return storageClass as ObjectVersionStorageClass
}

/** @throws {S3Error} InvalidArgument */
function requireVersionIdMarker({ KeyMarker, VersionIdMarker }: Input): string {
  if (VersionIdMarker === undefined) return ''
  const refuse = (message: string): S3Error => invalidArgument('version-id-marker', VersionIdMarker, message)
  if (KeyMarker === undefined) throw refuse('A version-id marker cannot be specified without a key marker.')
  if (VersionIdMarker === '') throw refuse('A version-id marker cannot be empty.')
  if (!isVersionId(VersionIdMarker)) throw refuse('Invalid version id specified')
  // Versions of no key: the listing begins at the front.
  return KeyMarker === '' ? '' : VersionIdMarker
}
