import type { DeleteBucketCommandInput, DeleteBucketCommandOutput } from '@aws-sdk/client-s3'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { findBucket } from './find-bucket.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
 * Versions and delete markers count as content; of a bucket that may have them the message says so.
 */
export function deleteBucket({
  store: { metadata },
}: S3Services): S3Handler<DeleteBucketCommandInput, DeleteBucketCommandOutput> {
  return async ({ Bucket }, { signal }) => {
    try {
      await metadata.call('deleteBucket', { name: Bucket }, signal)
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.BUCKET_NOT_EMPTY) throw error
      const { versioning } = await findBucket(metadata, Bucket, signal)
      throw new S3Error(
        'BucketNotEmpty',
        versioning === BucketVersioning.NEVER ? {} : { message: NOT_EMPTY_OF_VERSIONS },
      )
    }
    return {}
  }
}

const NOT_EMPTY_OF_VERSIONS =
  'The bucket you tried to delete is not empty. You must delete all versions in the bucket.'
