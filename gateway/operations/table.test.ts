import assert from 'node:assert/strict'
import test from 'node:test'
import { readOperation } from '../schema/model.ts'
import { s3Table } from './table.ts'
import { idleServices } from './testing.ts'
import { refuseUnsupported } from './unsupported.ts'

const rows = s3Table(idleServices)

/** Members of inputs that handlers read, or the body's stage does. */
const read = new Set(
  `ACL AccessControlPolicy AnnotationDirective AnnotationName AnnotationPayload AnnotationPrefix Body Bucket BucketRegion BypassGovernanceRetention CORSConfiguration CacheControl ChecksumAlgorithm ChecksumMode ChecksumType
   ContentDisposition ContentEncoding ContentLanguage ContentLength ContentMD5 ContentType ContinuationToken
   CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch CopySourceIfUnmodifiedSince
   CopySourceRange CreateBucketConfiguration Delete Delimiter EncodingType ExpectedBucketOwner
   ExpectedSourceBucketOwner Expires FetchOwner
   GrantFullControl GrantRead GrantReadACP GrantWrite GrantWriteACP IfMatch IfMatchLastModifiedTime IfMatchSize IfModifiedSince
   IfNoneMatch IfUnmodifiedSince Key KeyMarker Marker MaxAnnotationResults MaxBuckets MaxKeys MaxParts MaxUploads Metadata
   MetadataDirective MpuObjectSize MultipartUpload ObjectAttributes ObjectIfMatch ObjectOwnership OwnershipControls PartNumber PartNumberMarker
   Prefix Range ResponseCacheControl ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage
   ResponseContentType ResponseExpires StartAfter StorageClass Tagging TaggingDirective UploadId UploadIdMarker
   VersionId VersionIdMarker VersioningConfiguration WebsiteRedirectLocation
   ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumMD5 ChecksumSHA1 ChecksumSHA256 ChecksumSHA512
   ChecksumXXHASH128 ChecksumXXHASH3 ChecksumXXHASH64`.split(/\s+/),
)

/** Those that S3 ignores, too, where there is nothing they could act on; unsupported.ts says what. */
const withoutEffect = new Set(['MFA', 'OptionalObjectAttributes', 'RequestPayer'])

function isRefused(member: string): boolean {
  try {
    refuseUnsupported({ [member]: 'a value that no rule lets pass' })
    return false
  } catch {
    return true
  }
}

test('no member of an input is ignored: it is read, refused, or has no effect', () => {
  const met = new Set<string>()
  for (const { schema } of rows) {
    const { name, input } = readOperation(schema)
    for (const member of input.members) {
      met.add(member.name)
      const ways = [read.has(member.name), withoutEffect.has(member.name), isRefused(member.name)]
      assert.equal(ways.filter(Boolean).length, 1, `${name}.${member.name}: decide what it does`)
    }
  }
  for (const member of [...read, ...withoutEffect]) assert.ok(met.has(member), `${member} is in no input`)
})

test('every row needs an action of S3, and no operation has two rows', () => {
  for (const { action } of rows) assert.match(action, /^s3:[A-Z][A-Za-z]+$/)
  const names = rows.map(({ schema }) => readOperation(schema).name)
  assert.equal(new Set(names).size, names.length)
})
