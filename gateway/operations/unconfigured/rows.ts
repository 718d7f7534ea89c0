/**
 * Configurations of buckets that cannot be made yet: what S3 answers of a bucket that has none.
 *
 * Consoles, Terraform and `mc` read all of them of every bucket, and take a 501 for a failure. The answers are exact as
 * long as their Put is not built: there is none. Two differ from a bucket fresh from AWS, which configures more by itself
 * than Ashlar does: nothing is encrypted at rest and no public access is blocked here, so that is what is said.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
import * as s3 from '@aws-sdk/client-s3'
import { S3Error } from '../../errors/s3-error.ts'
import type { S3ErrorCode } from '../../errors/table.ts'
import { findBucket } from '../buckets/find-bucket.ts'
import { operation, type OperationOutput, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'

export function unconfiguredRows({ store }: S3Services): readonly OperationRow[] {
  /** @param answer the document of a bucket without the configuration, or the error that says so */
  function row<Output>(
    schema: unknown,
    action: string,
    answer: OperationOutput<Output> | S3ErrorCode,
  ): OperationRow {
    return operation<{ Bucket: string | undefined }, Output>(
      schema,
      action,
      async ({ Bucket }, { signal }) => {
        await findBucket(store.metadata, Bucket, signal)
        if (typeof answer === 'string') throw new S3Error(answer)
        return answer
      },
    )
  }
  return [
    row<s3.GetBucketAccelerateConfigurationCommandOutput>(
      s3.GetBucketAccelerateConfiguration$,
      's3:GetAccelerateConfiguration',
      {},
    ),
    row<s3.GetBucketLoggingCommandOutput>(s3.GetBucketLogging$, 's3:GetBucketLogging', {}),
    row<s3.GetBucketNotificationConfigurationCommandOutput>(
      s3.GetBucketNotificationConfiguration$,
      's3:GetBucketNotification',
      {},
    ),
    row<s3.GetBucketRequestPaymentCommandOutput>(s3.GetBucketRequestPayment$, 's3:GetBucketRequestPayment', {
      Payer: 'BucketOwner',
    }),
    row(
      s3.GetBucketEncryption$,
      's3:GetEncryptionConfiguration',
      'ServerSideEncryptionConfigurationNotFoundError',
    ),
    row(s3.GetBucketLifecycleConfiguration$, 's3:GetLifecycleConfiguration', 'NoSuchLifecycleConfiguration'),
    row(s3.GetBucketPolicy$, 's3:GetBucketPolicy', 'NoSuchBucketPolicy'),
    row(s3.GetBucketPolicyStatus$, 's3:GetBucketPolicyStatus', 'NoSuchBucketPolicy'),
    row(s3.GetBucketReplication$, 's3:GetReplicationConfiguration', 'ReplicationConfigurationNotFoundError'),
    row(s3.GetBucketWebsite$, 's3:GetBucketWebsite', 'NoSuchWebsiteConfiguration'),
    row(
      s3.GetObjectLockConfiguration$,
      's3:GetBucketObjectLockConfiguration',
      'ObjectLockConfigurationNotFoundError',
    ),
    row(s3.GetPublicAccessBlock$, 's3:GetBucketPublicAccessBlock', 'NoSuchPublicAccessBlockConfiguration'),
  ]
}
