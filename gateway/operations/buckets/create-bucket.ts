import type { CreateBucketCommandInput, CreateBucketCommandOutput } from '@aws-sdk/client-s3'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { bucketArn } from '../../rules/bucket-arn.ts'
import { isCreatableBucketName } from '../../rules/bucket-name.ts'
import { acceptLocationConstraint, CLASSIC_REGION } from '../../rules/location-constraint.ts'
import { checkTagSet } from '../../rules/tags.ts'
import { aclOfNewBucket, resetBucketAcl } from '../acl/new-bucket.ts'
import type { OperationInput } from '../operation.ts'
import { ownershipRecord } from '../ownership/object-ownership.ts'
import { senderAccount } from '../sender-account.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { notBuilt } from '../unsupported.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
 * Making a bucket again that the sender owns is an error, but in us-east-1, where S3 answers 200 for the sake of old
 * clients and makes the bucket's list anew ("Error responses", BucketAlreadyOwnedByYou), unless the request has tags,
 * which such clients do not know (recorded answers of AWS in localstack's
 * `test_create_bucket_with_tags_us_east_1_idempotency`).
 */
export function createBucket({
  store,
  bucketDefaults,
}: S3Services): S3Handler<CreateBucketCommandInput, CreateBucketCommandOutput> {
  return async (input, context) => {
    const { region, sender, signal } = context
    const { Bucket, CreateBucketConfiguration, ObjectOwnership } = input
    if (!isCreatableBucketName(Bucket)) {
      throw new S3Error('InvalidBucketName', { fields: { BucketName: Bucket } })
    }
    refuseConfiguration(CreateBucketConfiguration)
    const constraint = acceptLocationConstraint(CreateBucketConfiguration?.LocationConstraint, region)
    const tags = checkTagSet(CreateBucketConfiguration?.Tags ?? [], 'new-bucket')
    const objectOwnership = ownershipRecord(ObjectOwnership ?? bucketDefaults.objectOwnership)
    const bucket = { name: Bucket, owner: senderAccount(sender).id, region: constraint, objectOwnership }
    const acl = aclOfNewBucket(input, objectOwnership, context)
    const settings = [
      ...(tags.length === 0 ? [] : [{ setting: { case: 'tagging' as const, value: { tags } } }]),
      ...(acl === undefined ? [] : [{ setting: { case: 'acl' as const, value: acl } }]),
    ]
    const { limitPerOwner } = bucketDefaults
    try {
      await store.metadata.call('createBucket', { bucket, limitPerOwner, settings }, signal)
    } catch (error) {
      if (region !== CLASSIC_REGION || tags.length > 0 || !isOwnedAlready(error)) throw error
      await resetBucketAcl(store.metadata, Bucket, acl, context)
    }
    return { Location: `/${Bucket}`, BucketArn: bucketArn(Bucket) }
  }
}

/** Directory buckets. */
function refuseConfiguration(
  configuration: OperationInput<CreateBucketCommandInput>['CreateBucketConfiguration'],
): void {
  if (configuration?.Location !== undefined) throw notBuilt('Element', 'Location')
  if (configuration?.Bucket !== undefined) throw notBuilt('Element', 'Bucket')
}

function isOwnedAlready(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.BUCKET_ALREADY_OWNED_BY_YOU
}
