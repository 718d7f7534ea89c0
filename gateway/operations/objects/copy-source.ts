/** The source of CopyObject and UploadPartCopy: found, judged and read. */
import { SINGLE_PUT_BYTES_MAX } from '../../../core/limits.ts'
import type { ChecksumAlgorithm, ChecksumType } from '../../../core/checksum/algorithms.ts'
import { toBase64 } from '../../../core/checksum/base64.ts'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import type { ByteRange, Content, Store } from '../../../store/api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { requireCopyConditions } from '../../rules/conditions.ts'
import { parseCopySource } from '../../rules/copy-source.ts'
import { clusterFailure } from '../failures.ts'
import { acceptedContent } from './content.ts'
import { findObject, type FoundObject } from './find-object.ts'
import type { RequestContext } from '../operation.ts'

/** The members that the two operations have in common. */
export interface CopySourceInput {
  readonly CopySource: string
  readonly CopySourceIfMatch?: string | undefined
  readonly CopySourceIfNoneMatch?: string | undefined
  readonly CopySourceIfModifiedSince?: Date | undefined
  readonly CopySourceIfUnmodifiedSince?: Date | undefined
  readonly ExpectedSourceBucketOwner?: string | undefined
}

/**
 * The source, once its owner and the request's conditions on it hold.
 * @throws {S3Error} InvalidArgument, InvalidRequest for a delete marker by its id, AccessDenied, NoSuchBucket, NoSuchKey and
 *   NoSuchVersion (which name the source), PreconditionFailed
 */
export async function findCopySource(
  metadata: MetadataApi,
  input: CopySourceInput,
  context: Pick<RequestContext, 'access' | 'nowMs' | 'signal'>,
): Promise<FoundObject> {
  const { bucket, key, versionId } = parseCopySource(input.CopySource)
  const name = { Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }
  try {
    await context.access.requireBucketOwner(bucket, input.ExpectedSourceBucketOwner)
    const found = await findObject(metadata, name, 'GET', context)
    const { etag, lastModifiedMs } = found.record
    requireCopyConditions(input, { etag, lastModifiedMs: Number(lastModifiedMs) }, context.nowMs)
    return found
  } catch (error) {
    throw naming(error, bucket, key)
  }
}

/** The error document names the request's own bucket and key unless told otherwise. */
function naming(error: unknown, bucket: string, key: string): unknown {
  if (error instanceof S3Error && error.code === 'MethodNotAllowed') {
    return new S3Error('InvalidRequest', {
      message: 'The source of a copy request may not specifically refer to a delete marker by version id.',
    })
  }
  const failure = error instanceof MetadataError ? clusterFailure(error) : undefined
  if (failure?.code === 'NoSuchBucket') return new S3Error('NoSuchBucket', { fields: { BucketName: bucket } })
  if (failure?.code !== 'NoSuchKey' && failure?.code !== 'NoSuchVersion') return error
  const { fields, headers } = failure
  return new S3Error(failure.code, { fields: { ...fields, Key: key }, headers })
}

/** @throws {S3Error} InvalidRequest for more than one copy may hold: 5 GiB, as one upload */
export function requireCopyableSize(bytes: number): void {
  if (bytes <= SINGLE_PUT_BYTES_MAX) return
  throw new S3Error('InvalidRequest', {
    message: `The specified copy source is larger than the maximum allowable size for a copy source: ${SINGLE_PUT_BYTES_MAX}`,
  })
}

/** The checksum that a copy is to have, and what it is called. */
export interface KeptChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly type: ChecksumType
}

/**
 * The bytes of the source on their way to the copy, no more than a few stripes of them at a time. What is read is held
 * against the source's own ETag and checksum where they speak about these bytes: a copy never launders damage.
 */
export function copiedContent(
  store: Store,
  source: ObjectRecord,
  range: ByteRange,
  kept: KeptChecksum,
  signal: AbortSignal,
): Content {
  const size = Number(source.size)
  const whole = range.start === 0 && range.end === size
  const known = whole ? knownDigests(source) : new Map<string, string>()
  return {
    size: range.end - range.start,
    bytes: store.readObject(source, range, signal),
    digests: [...new Set<ChecksumAlgorithm>(['MD5', kept.algorithm])],
    accept(taken) {
      const accepted = acceptedContent(kept.algorithm, taken, kept.type)
      for (const [algorithm, digest] of taken) {
        const value = algorithm === 'MD5' ? accepted.etag : toBase64(digest)
        if ((known.get(algorithm) ?? value) === value) continue
        throw new Error(
          `${source.bucket}/${source.key} was read with another ${algorithm} than it was written with`,
        )
      }
      return accepted
    },
  }
}

/** What the record says of all the bytes: its ETag when that is an MD5, in hex, and checksums of the whole, in base64. */
function knownDigests({ etag, checksums }: ObjectRecord): ReadonlyMap<string, string> {
  const known = new Map<string, string>()
  for (const { algorithm, value, type } of checksums) {
    if (type === 'FULL_OBJECT' && algorithm !== 'MD5') known.set(algorithm, value)
  }
  if (/^[0-9a-f]{32}$/.test(etag)) known.set('MD5', etag)
  return known
}
