import type {
  CreateMultipartUploadCommandInput,
  CreateMultipartUploadCommandOutput,
} from '@aws-sdk/client-s3'
import {
  checksumTraits,
  type ChecksumAlgorithm,
  type ChecksumType,
} from '../../../core/checksum/algorithms.ts'
import { RECORD_FORMAT } from '../../../core/limits.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { parseTaggingHeader } from '../../rules/tags.ts'
import { accessOfNewObject } from '../acl/new-object.ts'
import { objectHeaders } from '../objects/object-headers.ts'
import { storageClassOf } from '../objects/storage-class.ts'
import type { OperationInput } from '../operation.ts'
import type { S3Handler, S3Services } from '../services.ts'

type Input = OperationInput<CreateMultipartUploadCommandInput>

/**
 * Begins an upload: fixes everything about the object but its bytes and the conditions on its commit.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
 */
export function createMultipartUpload({
  store,
  newUploadId,
}: S3Services): S3Handler<CreateMultipartUploadCommandInput, CreateMultipartUploadCommandOutput> {
  return async (input, context) => {
    const { signal } = context
    const { Bucket, Key } = input
    const headers = objectHeaders(input)
    const storageClass = storageClassOf(input.StorageClass)
    const tags = parseTaggingHeader(input.Tagging ?? '')
    const checksum = askedChecksum(input)
    const access = await accessOfNewObject(input, context)
    const { upload } = await store.metadata.call(
      'createUpload',
      {
        upload: {
          format: RECORD_FORMAT,
          bucket: Bucket,
          key: Key,
          uploadId: newUploadId(),
          headers,
          storageClass,
          ...access,
          initiator: context.access.requester,
          checksumAlgorithm: checksum?.ChecksumAlgorithm ?? '',
          checksumType: checksum?.ChecksumType ?? '',
          tags,
        },
      },
      signal,
    )
    if (upload === undefined) throw new Error('metadata answered without the upload')
    return { Bucket, Key, UploadId: upload.uploadId, ...checksum }
  }
}

interface AskedChecksum {
  readonly ChecksumAlgorithm: ChecksumAlgorithm
  readonly ChecksumType: ChecksumType
}

/**
 * The checksum asked for, with the type that is its algorithm's default. Only a CRC can be had of a whole object from its
 * parts', and CRC64NVME only so.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
 * @throws {S3Error} InvalidRequest
 */
function askedChecksum(input: Input): AskedChecksum | undefined {
  const { ChecksumAlgorithm: algorithm, ChecksumType: type } = input
  if (algorithm === undefined) {
    if (type === undefined) return undefined
    throw new S3Error('InvalidRequest', {
      message: 'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    })
  }
  const { multipartTypes } = checksumTraits[algorithm]
  if (type !== undefined && !multipartTypes.includes(type)) {
    throw new S3Error('InvalidRequest', {
      message: `The ${type} checksum type cannot be used with the ${algorithm.toLowerCase()} checksum algorithm.`,
    })
  }
  return { ChecksumAlgorithm: algorithm, ChecksumType: type ?? multipartTypes[0] }
}
