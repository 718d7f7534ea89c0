/** Members of outputs that come from an object's record. */
import { StorageClass, type GetObjectCommandOutput } from '@aws-sdk/client-s3'
import {
  checksumAlgorithmNamed,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '../../../core/checksum/algorithms.ts'
import type { Checksum, ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'

/** S3's type of objects that were stored without one. */
export const DEFAULT_CONTENT_TYPE = 'binary/octet-stream'

const storageClasses = new Set(Object.values(StorageClass))

type DescribedMember =
  | 'ETag'
  | 'LastModified'
  | 'AcceptRanges'
  | 'ContentType'
  | 'ContentEncoding'
  | 'ContentLanguage'
  | 'ContentDisposition'
  | 'CacheControl'
  | 'ExpiresString'
  | 'WebsiteRedirectLocation'
  | 'Metadata'
  | 'StorageClass'
  | 'TagCount'

/**
 * The headers that GetObject and HeadObject answer with whatever part is asked for. The storage class is told only when
 * it is not STANDARD.
 */
export function describeObject(record: ObjectRecord): Pick<GetObjectCommandOutput, DescribedMember> {
  const { headers, storageClass, tags } = record
  return {
    ETag: `"${record.etag}"`,
    LastModified: new Date(Number(record.lastModifiedMs)),
    AcceptRanges: 'bytes',
    ContentType: headers?.contentType || DEFAULT_CONTENT_TYPE,
    ...(headers?.contentEncoding ? { ContentEncoding: headers.contentEncoding } : {}),
    ...(headers?.contentLanguage ? { ContentLanguage: headers.contentLanguage } : {}),
    ...(headers?.contentDisposition ? { ContentDisposition: headers.contentDisposition } : {}),
    ...(headers?.cacheControl ? { CacheControl: headers.cacheControl } : {}),
    ...(headers?.expires ? { ExpiresString: headers.expires } : {}),
    ...(headers?.websiteRedirectLocation ? { WebsiteRedirectLocation: headers.websiteRedirectLocation } : {}),
    ...(headers === undefined ? {} : { Metadata: headers.user }),
    ...(isOneOf(storageClasses, storageClass) && storageClass !== 'STANDARD'
      ? { StorageClass: storageClass }
      : {}),
    ...(tags.length === 0 ? {} : { TagCount: tags.length }),
  }
}

export type ChecksumMembers = { [Member in `Checksum${ChecksumAlgorithm}`]?: string } & {
  ChecksumType?: ChecksumType
}

/** `ChecksumCRC32` and its like, and their type. */
export function checksumMembers(checksums: readonly Omit<Checksum, '$typeName'>[]): ChecksumMembers {
  const members: ChecksumMembers = {}
  for (const { algorithm, value, type } of checksums) {
    const name = checksumAlgorithmNamed(algorithm)
    if (name === undefined) continue
    members[`Checksum${name}`] = value
    const known = checksumTypeOf(type)
    if (known !== undefined) members.ChecksumType = known
  }
  return members
}

export function checksumTypeOf(text: string): ChecksumType | undefined {
  return text === 'FULL_OBJECT' || text === 'COMPOSITE' ? text : undefined
}

/** Whether a text of a record is one of the SDK's constants. */
export function isOneOf<Value extends string>(constants: ReadonlySet<Value>, text: string): text is Value {
  const texts: ReadonlySet<string> = constants
  return texts.has(text)
}
