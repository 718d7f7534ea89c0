import type { CreateBucketCommandInput, CreateBucketCommandOutput } from '@aws-sdk/client-s3'
import { BUCKETS_PER_ACCOUNT_MAX } from '../../../core/limits.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { isCreatableBucketName } from '../../rules/bucket-name.ts'
import { acceptLocationConstraint, CLASSIC_REGION } from '../../rules/location-constraint.ts'
import type { OperationInput } from '../operation.ts'
import { senderAccount } from '../sender-account.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { notBuilt } from '../unsupported.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
 * Making a bucket again that the sender owns is an error, but in us-east-1, where S3 answers 200 for the sake of old
 * clients ("Error responses", BucketAlreadyOwnedByYou).
 */
export function createBucket({
  store,
}: S3Services): S3Handler<CreateBucketCommandInput, CreateBucketCommandOutput> {
  return async ({ Bucket, CreateBucketConfiguration }, { region, sender, signal }) => {
    if (!isCreatableBucketName(Bucket)) {
      throw new S3Error('InvalidBucketName', { fields: { BucketName: Bucket } })
    }
    refuseConfiguration(CreateBucketConfiguration)
    const constraint = acceptLocationConstraint(CreateBucketConfiguration?.LocationConstraint, region)
    const bucket = { name: Bucket, owner: senderAccount(sender).id, region: constraint }
    try {
      await store.metadata.call('createBucket', { bucket, limitPerOwner: BUCKETS_PER_ACCOUNT_MAX }, signal)
    } catch (error) {
      if (region !== CLASSIC_REGION || !isOwnedAlready(error)) throw error
    }
    return { Location: `/${Bucket}` }
  }
}

/** Directory buckets and tags. */
function refuseConfiguration(
  configuration: OperationInput<CreateBucketCommandInput>['CreateBucketConfiguration'],
): void {
  if (configuration?.Location !== undefined) throw notBuilt('Element', 'Location')
  if (configuration?.Bucket !== undefined) throw notBuilt('Element', 'Bucket')
  if (configuration?.Tags !== undefined && configuration.Tags.length > 0) throw notBuilt('Element', 'Tags')
}

function isOwnedAlready(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.BUCKET_ALREADY_OWNED_BY_YOU
}
