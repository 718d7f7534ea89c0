import { S3Error } from '../../errors/s3-error.ts'
import { findBucket } from '../buckets/find-bucket.ts'
import type { S3Services } from '../services.ts'

const HEADER = 'x-amz-bypass-governance-retention'

/**
 * Refuses to bypass what the bucket does not have, whatever the header's value: no bucket has Object Lock as yet. Recorded of
 * the service by the tests of versitygw (tests/test_s3api_object.sh); without ArgumentValue, as localstack has it.
 * @throws {S3Error} InvalidArgument
 * @throws {MetadataError} NO_SUCH_BUCKET, which comes first
 */
export async function refuseBypass(
  { store: { metadata } }: S3Services,
  input: { readonly Bucket: string; readonly BypassGovernanceRetention?: boolean | undefined },
  signal: AbortSignal,
): Promise<void> {
  if (input.BypassGovernanceRetention === undefined) return
  await findBucket(metadata, input.Bucket, signal)
  throw new S3Error('InvalidArgument', {
    message: `${HEADER} is only applicable to Object Lock enabled buckets.`,
    fields: { ArgumentName: HEADER },
  })
}
