import { FailureCode } from '../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../proto/metadata-api.ts'

export function invalidRequest(message: string): MetadataError {
  return new MetadataError(FailureCode.INVALID_REQUEST, message)
}

export function noSuchBucket(name: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_BUCKET, `there is no bucket ${name}`, { BucketName: name })
}

export function noSuchKey(key: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_KEY, 'there is no such object', { Key: key })
}

/** The key's current version is a delete marker: as if there were no object, but the answer names the marker. */
export function deletedKey(key: string, markerVersionId: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_KEY, 'the object has been deleted', {
    Key: key,
    DeleteMarker: 'true',
    VersionId: markerVersionId,
  })
}

export function noSuchVersion(key: string, versionId: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_VERSION, 'there is no such version', {
    Key: key,
    VersionId: versionId,
  })
}

/** What is asked for cannot be done to a delete marker. */
export function markerRefused(versionId: string): MetadataError {
  return new MetadataError(FailureCode.METHOD_NOT_ALLOWED, 'the version is a delete marker', {
    DeleteMarker: 'true',
    VersionId: versionId,
  })
}

export function noSuchUpload(uploadId: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_UPLOAD, 'there is no such upload', { UploadId: uploadId })
}

/** The message of an operation that a request must carry. @throws {MetadataError} INVALID_REQUEST */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw invalidRequest(`the request has no ${name}`)
  return value
}
