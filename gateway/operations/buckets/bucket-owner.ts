import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'

/**
 * The condition `x-amz-expected-bucket-owner`.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
 * @param expected account id that must own the bucket; undefined: no condition
 * @throws {S3Error} AccessDenied when another account owns it
 * @throws {MetadataError} NO_SUCH_BUCKET
 */
export async function requireBucketOwner(
  metadata: MetadataApi,
  name: string,
  expected: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (expected === undefined) return
  const { bucket } = await metadata.call('getBucket', { name }, signal)
  if (bucket?.owner !== expected) throw new S3Error('AccessDenied')
}
