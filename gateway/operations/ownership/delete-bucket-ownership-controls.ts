import type {
  DeleteBucketOwnershipControlsCommandInput,
  DeleteBucketOwnershipControlsCommandOutput,
} from '@aws-sdk/client-s3'
import { ObjectOwnership } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { S3Handler, S3Services } from '../services.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html
 * Also 204 when there were none. What is left behaves as ObjectWriter, S3's rule before there were ownership controls.
 */
export function deleteBucketOwnershipControls({
  store,
}: S3Services): S3Handler<
  DeleteBucketOwnershipControlsCommandInput,
  DeleteBucketOwnershipControlsCommandOutput
> {
  return async ({ Bucket }, { signal }) => {
    const objectOwnership = ObjectOwnership.REMOVED
    await store.metadata.call('updateBucket', { name: Bucket, objectOwnership }, signal)
    return {}
  }
}
