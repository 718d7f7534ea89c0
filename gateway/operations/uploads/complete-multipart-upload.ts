import type {
  CompleteMultipartUploadCommandInput,
  CompleteMultipartUploadCommandOutput,
} from '@aws-sdk/client-s3'
import { LIST_ENTRIES_MAX, PART_BYTES_MIN } from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord, PartRecord, UploadRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi, type MetadataRequestInit } from '../../../proto/metadata-api.ts'
import { givenChecksums, readNamedParts, type NamedPart } from '../../rules/completed-parts.ts'
import { completeParts, etagOf } from '../../rules/completion.ts'
import { readWriteConditions, type WriteConditions } from '../../rules/write-conditions.ts'
import type { OperationInput } from '../operation.ts'
import { checksumMembers } from '../objects/object-members.ts'
import { writtenVersionId } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { noSuchUpload, onUpload, uploadChecksum } from './uploads.ts'

type Input = OperationInput<CompleteMultipartUploadCommandInput>

/**
 * Makes the object of its parts. The bytes stay where they are: ETag and checksum follow from the parts', so this takes
 * as long as its one commit, and there is no need for S3's blanks ahead of the document.
 *
 * A condition that holds is a conflict nevertheless (409) when the object it speaks of was written or deleted after the
 * upload began; see core/records/conditions.ts.
 *
 * Sent again after it succeeded, because its answer was lost, it is answered the same for as long as the object is there,
 * whatever conditions it brings: they held when it was committed (adobe/S3Mock issue 2586 records this of the service).
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export function completeMultipartUpload({
  store: { metadata },
}: S3Services): S3Handler<CompleteMultipartUploadCommandInput, CompleteMultipartUploadCommandOutput> {
  return async (input, { signal, resourceUrl }) => {
    const { Bucket, Key } = input
    const conditions = readWriteConditions(input)
    const object = await onUpload(metadata, input, signal, async () => {
      const found = await readUpload(metadata, input, signal)
      // Without a document as well the upload is missed first (recorded of the service by LocalStack's
      // `test_multipart_no_such_upload`).
      if (found === undefined && input.MultipartUpload === undefined) throw noSuchUpload(input.UploadId)
      const named = readNamedParts(input.MultipartUpload)
      const commit = found === undefined ? repeated(input, named) : completion(input, named, found)
      return await commitUpload(metadata, input, { ...commit, conditions }, signal)
    })
    return {
      Location: resourceUrl,
      Bucket,
      Key,
      ETag: `"${object.etag}"`,
      ...checksumMembers(object.checksums),
      ...writtenVersionId(object),
    }
  }
}

interface FoundUpload {
  readonly upload: UploadRecord
  readonly parts: readonly PartRecord[]
}

type CompleteUpload = MetadataRequestInit<'completeUpload'>
type Commit = Pick<CompleteUpload, 'parts' | 'etag' | 'checksums'> & { readonly conditions?: WriteConditions }

/** The upload and all its parts; undefined when there is none, or none any more. */
async function readUpload(
  metadata: MetadataApi,
  { Bucket: bucket, Key: key, UploadId: uploadId }: Input,
  signal: AbortSignal,
): Promise<FoundUpload | undefined> {
  const parts: PartRecord[] = []
  let after = 0
  try {
    for (;;) {
      const page = await metadata.call(
        'listParts',
        { bucket, key, uploadId, after, limit: LIST_ENTRIES_MAX },
        signal,
      )
      parts.push(...page.parts)
      const last = page.parts.at(-1)
      if (page.upload === undefined) throw new Error('metadata answered without the upload')
      if (!page.truncated || last === undefined) return { upload: page.upload, parts }
      after = last.partNumber
    }
  } catch (error) {
    if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_UPLOAD) return undefined
    throw error
  }
}

function completion(input: Input, named: readonly NamedPart[], { upload, parts }: FoundUpload): Commit {
  const completed = completeParts(
    {
      uploadId: input.UploadId,
      named,
      checksum: uploadChecksum(upload),
      expected: givenChecksums(input),
      expectedType: input.ChecksumType,
      expectedSize: input.MpuObjectSize,
    },
    parts,
  )
  return {
    etag: completed.etag,
    checksums: [completed.checksum],
    parts: completed.parts.map(({ partNumber, etag, checksums }) => ({
      partNumber,
      etag,
      checksums: [...checksums],
    })),
  }
}

/**
 * What the same request was when it succeeded, as far as metadata needs it to tell that it did: the ETag.
 * @throws {S3Error} NoSuchUpload for ETags that no part ever had
 */
function repeated({ UploadId }: Input, named: readonly NamedPart[]): Commit {
  const etags = named.map(({ etag }) => etag)
  if (!etags.every((etag) => /^[0-9a-f]{32}$/.test(etag))) throw noSuchUpload(UploadId)
  return { etag: etagOf(etags), parts: named.map(({ partNumber, etag }) => ({ partNumber, etag })) }
}

async function commitUpload(
  metadata: MetadataApi,
  { Bucket: bucket, Key: key, UploadId: uploadId }: Input,
  commit: Commit,
  signal: AbortSignal,
): Promise<ObjectRecord> {
  const { object } = await metadata.call(
    'completeUpload',
    { bucket, key, uploadId, partBytesMin: BigInt(PART_BYTES_MIN), ...commit },
    signal,
  )
  if (object === undefined) throw new Error('metadata answered without the object')
  return object
}
