/** The CORS configuration of a bucket. */
import * as s3 from '@aws-sdk/client-s3'
import { CORS_DOCUMENT_BYTES_MAX } from '../../../core/limits.ts'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { deleteBucketCors } from './delete-bucket-cors.ts'
import { getBucketCors } from './get-bucket-cors.ts'
import { putBucketCors } from './put-bucket-cors.ts'

export function corsRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutBucketCorsCommandInput, s3.PutBucketCorsCommandOutput>(
      s3.PutBucketCors$,
      's3:PutBucketCORS',
      putBucketCors(services),
      { checksumRequired: true, documentBytesMax: CORS_DOCUMENT_BYTES_MAX },
    ),
    operation<s3.GetBucketCorsCommandInput, s3.GetBucketCorsCommandOutput>(
      s3.GetBucketCors$,
      's3:GetBucketCORS',
      getBucketCors(services),
    ),
    operation<s3.DeleteBucketCorsCommandInput, s3.DeleteBucketCorsCommandOutput>(
      s3.DeleteBucketCors$,
      's3:PutBucketCORS',
      deleteBucketCors(services),
    ),
  ]
}
