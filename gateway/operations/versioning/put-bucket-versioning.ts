import type { PutBucketVersioningCommandInput, PutBucketVersioningCommandOutput } from '@aws-sdk/client-s3'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../../errors/s3-error.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { notBuilt } from '../unsupported.ts'

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
 * MFA delete is not built: disabling it changes nothing, enabling it is refused by name.
 */
export function putBucketVersioning({
  store,
}: S3Services): S3Handler<PutBucketVersioningCommandInput, PutBucketVersioningCommandOutput> {
  return async ({ Bucket, VersioningConfiguration: { Status, MFADelete } }, { signal }) => {
    if (Status === undefined) throw new S3Error('IllegalVersioningConfigurationException')
    if (MFADelete === 'Enabled') throw notBuilt('Element', 'MfaDelete')
    const versioning = Status === 'Enabled' ? BucketVersioning.ENABLED : BucketVersioning.SUSPENDED
    await store.metadata.call('updateBucket', { name: Bucket, versioning }, signal)
    return {}
  }
}
