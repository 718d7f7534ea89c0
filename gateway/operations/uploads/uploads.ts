/** What the operations on multipart uploads have in common. */
import { StorageClass } from '@aws-sdk/client-s3'
import {
  checksumAlgorithmNamed,
  defaultChecksumAlgorithm,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '../../../core/checksum/algorithms.ts'
import { PART_NUMBER_MAX } from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { UploadRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import { invalidArgument, S3Error } from '../../errors/s3-error.ts'
import { findBucket } from '../buckets/find-bucket.ts'
import { isOneOf } from '../objects/object-members.ts'

/** Which upload a request speaks of. */
export interface UploadPlace {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
}

/** Upload ids are what newIdentifier makes; anything else was never one of ours and asks nothing of metadata. */
export function isUploadId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text)
}

export function noSuchUpload(uploadId: string): S3Error {
  return new S3Error('NoSuchUpload', { fields: { UploadId: uploadId } })
}

/**
 * Calls metadata for an upload.
 * @throws {S3Error} NoSuchBucket; NoSuchUpload and InvalidPart, naming the upload
 * @throws {MetadataError} any other refusal, as it is
 */
export async function onUpload<T>(
  metadata: MetadataApi,
  { Bucket, UploadId }: UploadPlace,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  if (!isUploadId(UploadId)) {
    await findBucket(metadata, Bucket, signal)
    throw noSuchUpload(UploadId)
  }
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error
    if (error.code === FailureCode.NO_SUCH_UPLOAD) throw noSuchUpload(UploadId)
    if (error.code === FailureCode.INVALID_PART) {
      throw new S3Error('InvalidPart', { fields: { UploadId, ...error.fields } })
    }
    throw error
  }
}

/** @throws {S3Error} NoSuchBucket, NoSuchUpload */
export async function findUpload(
  metadata: MetadataApi,
  place: UploadPlace,
  signal: AbortSignal,
): Promise<UploadRecord> {
  const { Bucket: bucket, Key: key, UploadId: uploadId } = place
  const { upload } = await onUpload(metadata, place, signal, () =>
    metadata.call('getUpload', { bucket, key, uploadId }, signal),
  )
  if (upload === undefined) throw new Error('metadata answered without the upload')
  return upload
}

/** @throws {S3Error} InvalidArgument */
export function requirePartNumber(partNumber: number): void {
  if (partNumber >= 1 && partNumber <= PART_NUMBER_MAX) return
  throw invalidArgument(
    'partNumber',
    String(partNumber),
    `Part number must be an integer between 1 and ${PART_NUMBER_MAX}, inclusive`,
  )
}

/** The checksum of an upload, its parts and the object that they will be. */
export interface UploadChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly type: ChecksumType
  /** False where nobody asked for one, and the object gets S3's default. */
  readonly asked: boolean
}

export function uploadChecksum({
  checksumAlgorithm,
  checksumType,
}: Pick<UploadRecord, 'checksumAlgorithm' | 'checksumType'>): UploadChecksum {
  const algorithm = checksumAlgorithmNamed(checksumAlgorithm)
  const type = checksumType === 'COMPOSITE' ? 'COMPOSITE' : 'FULL_OBJECT'
  return { algorithm: algorithm ?? defaultChecksumAlgorithm, type, asked: algorithm !== undefined }
}

const storageClasses = new Set(Object.values(StorageClass))

/** The class that the object will have, as listings of uploads and parts tell it: STANDARD too. */
export function uploadStorageClass({ storageClass }: Pick<UploadRecord, 'storageClass'>): StorageClass {
  return isOneOf(storageClasses, storageClass) ? storageClass : 'STANDARD'
}
