import type { CopyObjectCommandInput, CopyObjectCommandOutput } from '@aws-sdk/client-s3'
import {
  checksumAlgorithmNamed,
  defaultChecksumAlgorithm,
  type ChecksumAlgorithm,
} from '../../../core/checksum/algorithms.ts'
import { formatVersionId, versionIdOf } from '../../../core/records/version-id.ts'
import { BucketVersioning, type ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../../errors/s3-error.ts'
import { parseCopySource } from '../../rules/copy-source.ts'
import { parseTaggingHeader } from '../../rules/tags.ts'
import { readWriteConditions } from '../../rules/write-conditions.ts'
import { copiedContent, findCopySource, requireCopyableSize } from './copy-source.ts'
import { annotationsToCopy } from '../annotations/copy-annotations.ts'
import { accessOfNewObject } from '../acl/new-object.ts'
import { objectHeaders, redirectLocation, type RecordedHeaders } from './object-headers.ts'
import { writtenVersionId } from './find-object.ts'
import { checksumMembers, DEFAULT_CONTENT_TYPE } from './object-members.ts'
import { refuseEarly } from './observed-version.ts'
import { storageClassOf } from './storage-class.ts'
import type { OperationInput } from '../operation.ts'
import type { S3Handler, S3Services } from '../services.ts'

type Input = OperationInput<CopyObjectCommandInput>

/**
 * Copies an object of up to 5 GiB: its bytes stream from the source's shards into new ones, so the copy is one blob with
 * the MD5 of its bytes as ETag, whatever parts the source was made of.
 *
 * Alone of all writes it names the null version where versioning is suspended, but not one it copied from (recorded of the service by LocalStack's
 * `test_s3_copy_object_in_place_suspended_only`).
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
 */
export function copyObject({
  store,
}: S3Services): S3Handler<CopyObjectCommandInput, CopyObjectCommandOutput> {
  return async (input, context) => {
    const { signal } = context
    const { Bucket, Key } = input
    const conditions = readWriteConditions(input)
    const replaced = input.MetadataDirective === 'REPLACE' ? objectHeaders(input) : undefined
    const redirect = redirectLocation(input.WebsiteRedirectLocation)
    const storageClass = storageClassOf(input.StorageClass)
    const tags = input.TaggingDirective === 'REPLACE' ? parseTaggingHeader(input.Tagging ?? '') : undefined
    const access = await accessOfNewObject(input, context)
    const { record: source } = await findCopySource(store.metadata, input, context)
    const sourceVersion = source.versioned ? { CopySourceVersionId: formatVersionId(source) } : {}
    context.announce(sourceVersion)
    if (takesOver(input, source)) await context.access.requireTakeover(source.bucket, Bucket)
    refuseNoChange(input, source)
    const size = Number(source.size)
    requireCopyableSize(size)
    const { versioning } = await context.access.bucket(Bucket)
    const observed = await refuseEarly(store.metadata, input, conditions, signal)
    const copyAnnotations = await annotationsToCopy(store, source, input.AnnotationDirective, signal)
    const kept = { algorithm: keptAlgorithm(input, source), type: 'FULL_OBJECT' } as const
    const object = await store.putObject(
      {
        bucket: Bucket,
        key: Key,
        ...access,
        headers: replaced ?? { ...headersOf(source), websiteRedirectLocation: redirect },
        storageClass,
        tags: tags ?? source.tags.map(({ key, value }) => ({ key, value })),
        conditions: { ...conditions, ...observed },
        content: copiedContent(store, source, { start: 0, end: size }, kept, signal),
      },
      signal,
    )
    await copyAnnotations(object)
    return {
      ...(versioning === BucketVersioning.SUSPENDED
        ? { VersionId: versionIdOf(object) }
        : writtenVersionId(object)),
      ...sourceVersion,
      CopyObjectResult: {
        ETag: `"${object.etag}"`,
        LastModified: new Date(Number(object.lastModifiedMs)),
        ...checksumMembers(object.checksums),
      },
    }
  }
}

/** Whether the copy is to have tags or annotations of the source. */
function takesOver(input: Input, { tags, annotationCount }: ObjectRecord): boolean {
  if (tags.length > 0 && input.TaggingDirective !== 'REPLACE') return true
  return annotationCount > 0 && input.AnnotationDirective !== 'EXCLUDE'
}

/**
 * An object may be copied onto itself only to change something about it. To copy a version that is named onto its key
 * makes it current again, which is how the User Guide restores one ("Restoring previous versions").
 */
function refuseNoChange(input: Input, { bucket, key }: ObjectRecord): void {
  if (input.Bucket !== bucket || input.Key !== key) return
  if (input.MetadataDirective === 'REPLACE' || parseCopySource(input.CopySource).versionId !== undefined) {
    return
  }
  const { StorageClass, WebsiteRedirectLocation, ChecksumAlgorithm } = input
  if ((StorageClass ?? WebsiteRedirectLocation ?? ChecksumAlgorithm) !== undefined) return
  throw new S3Error('InvalidRequest', {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  })
}

/**
 * The checksum asked for; else of the algorithm that the source has, computed over the whole even where the source's was
 * made of its parts'; else the default.
 */
function keptAlgorithm({ ChecksumAlgorithm: asked }: Input, { checksums }: ObjectRecord): ChecksumAlgorithm {
  if (asked !== undefined) return asked
  return checksumAlgorithmNamed(checksums[0]?.algorithm ?? '') ?? defaultChecksumAlgorithm
}

/** All that the source keeps; its redirect is the one thing that a copy does not take over. */
function headersOf({ headers }: ObjectRecord): RecordedHeaders {
  return {
    contentType: headers?.contentType ?? DEFAULT_CONTENT_TYPE,
    contentEncoding: headers?.contentEncoding ?? '',
    contentDisposition: headers?.contentDisposition ?? '',
    contentLanguage: headers?.contentLanguage ?? '',
    cacheControl: headers?.cacheControl ?? '',
    expires: headers?.expires ?? '',
    websiteRedirectLocation: '',
    user: { ...headers?.user },
  }
}
