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

export function noSuchUpload(uploadId: string): MetadataError {
  return new MetadataError(FailureCode.NO_SUCH_UPLOAD, 'there is no such upload', { UploadId: uploadId })
}

/** The message of an operation that a request must carry. @throws {MetadataError} INVALID_REQUEST */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw invalidRequest(`the request has no ${name}`)
  return value
}
