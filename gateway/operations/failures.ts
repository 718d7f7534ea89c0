/**
 * What a client is told when the cluster refuses or fails.
 *
 * A refusal becomes S3's error of the same name. A failure becomes one that every SDK retries (500 and 503; S3 API
 * Reference, "Error responses", and the retry behaviour of the AWS SDKs): 503 `ServiceUnavailable` when the cluster
 * cannot do it now, `SlowDown` when it has too much to do, and 500 `InternalError` for a fault of ours. A write whose
 * outcome is not known is 503, too: S3 promises nothing about a write that was answered with an error, and the same
 * write sent again is right either way, or meets its own condition as a 412, as with S3.
 */
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { StoreError, type StoreErrorCode } from '../../store/api.ts'
import { S3Error, type S3ErrorDetails } from '../errors/s3-error.ts'
import type { S3ErrorCode } from '../errors/table.ts'

const ofMetadata: Readonly<Record<FailureCode, S3ErrorCode>> = {
  [FailureCode.UNSPECIFIED]: 'InternalError',
  [FailureCode.INTERNAL]: 'InternalError',
  [FailureCode.UNAVAILABLE]: 'ServiceUnavailable',
  [FailureCode.NOT_MINE]: 'ServiceUnavailable',
  [FailureCode.READ_ONLY]: 'ServiceUnavailable',
  [FailureCode.SLOW_DOWN]: 'SlowDown',
  // Sent again, the bytes become a blob that is new.
  [FailureCode.STALE_BLOB]: 'ServiceUnavailable',
  // Handlers send what they have checked: a request that metadata finds wrong is their fault.
  [FailureCode.INVALID_REQUEST]: 'InternalError',
  [FailureCode.UNKNOWN_NODE]: 'InternalError',
  // No operation of S3 changes the cluster.
  [FailureCode.TOPOLOGY_REFUSED]: 'InternalError',
  [FailureCode.STALE_EPOCH]: 'InternalError',
  [FailureCode.PARTITION_REFUSED]: 'InternalError',
  [FailureCode.BACKUP_REFUSED]: 'InternalError',
  [FailureCode.NO_SUCH_BUCKET]: 'NoSuchBucket',
  [FailureCode.BUCKET_ALREADY_EXISTS]: 'BucketAlreadyExists',
  [FailureCode.BUCKET_ALREADY_OWNED_BY_YOU]: 'BucketAlreadyOwnedByYou',
  [FailureCode.BUCKET_NOT_EMPTY]: 'BucketNotEmpty',
  [FailureCode.TOO_MANY_BUCKETS]: 'TooManyBuckets',
  [FailureCode.NO_SUCH_KEY]: 'NoSuchKey',
  [FailureCode.PRECONDITION_FAILED]: 'PreconditionFailed',
  [FailureCode.NO_SUCH_UPLOAD]: 'NoSuchUpload',
  [FailureCode.INVALID_PART]: 'InvalidPart',
  [FailureCode.ENTITY_TOO_SMALL]: 'EntityTooSmall',
  [FailureCode.NO_SUCH_VERSION]: 'NoSuchVersion',
  [FailureCode.CONDITIONAL_CONFLICT]: 'ConditionalRequestConflict',
  [FailureCode.NO_SUCH_ANNOTATION]: 'NoSuchAnnotation',
  [FailureCode.TOO_MANY_ANNOTATIONS]: 'AnnotationLimitExceeded',
  [FailureCode.METHOD_NOT_ALLOWED]: 'MethodNotAllowed',
}

const ofStore: Readonly<Record<StoreErrorCode, S3ErrorCode>> = {
  unwritable: 'ServiceUnavailable',
  unknown: 'ServiceUnavailable',
  unreadable: 'ServiceUnavailable',
  overloaded: 'SlowDown',
  // The body's own checks come first and are the client's error; here it is the handler that counted wrong.
  'size-mismatch': 'InternalError',
}

/** The S3 error of a refusal or failure of the cluster; undefined for anything else, which is a bug or an abort. */
export function clusterFailure(thrown: unknown): S3Error | undefined {
  if (thrown instanceof StoreError) return new S3Error(ofStore[thrown.code])
  if (thrown instanceof MetadataError) return new S3Error(ofMetadata[thrown.code], detailsOf(thrown))
  return undefined
}

/**
 * How loud an answer is in the log; undefined: it is the client's affair. Refusals for load come by the thousand, when there is least
 * time for them: they are metadata's metrics.
 */
export function loudnessOf({ code, status }: S3Error): 'warn' | 'debug' | undefined {
  if (status < 500) return undefined
  return code === 'SlowDown' ? 'debug' : 'warn'
}

/**
 * S3 names a delete marker in headers, not in the document: it is why there is no such key, or why the method is not
 * allowed.
 */
function detailsOf({ code, fields }: MetadataError): S3ErrorDetails {
  const { DeleteMarker, VersionId, ...others } = fields
  if (code !== FailureCode.NO_SUCH_KEY && code !== FailureCode.METHOD_NOT_ALLOWED) return { fields }
  const marker = {
    ...(DeleteMarker === undefined ? {} : { 'x-amz-delete-marker': DeleteMarker }),
    ...(VersionId === undefined ? {} : { 'x-amz-version-id': VersionId }),
  }
  if (code === FailureCode.NO_SUCH_KEY) return { fields: others, headers: marker }
  return { fields: { ...others, ResourceType: 'DeleteMarker' }, headers: { ...marker, allow: 'DELETE' } }
}
