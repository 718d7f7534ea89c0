/** The tags of objects. */
import * as s3 from '@aws-sdk/client-s3'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { deleteObjectTagging } from './delete-object-tagging.ts'
import { getObjectTagging } from './get-object-tagging.ts'
import { putObjectTagging } from './put-object-tagging.ts'

export function taggingRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutObjectTaggingCommandInput, s3.PutObjectTaggingCommandOutput>(
      s3.PutObjectTagging$,
      's3:PutObjectTagging',
      putObjectTagging(services),
      { checksumRequired: true },
    ),
    operation<s3.GetObjectTaggingCommandInput, s3.GetObjectTaggingCommandOutput>(
      s3.GetObjectTagging$,
      's3:GetObjectTagging',
      getObjectTagging(services),
    ),
    operation<s3.DeleteObjectTaggingCommandInput, s3.DeleteObjectTaggingCommandOutput>(
      s3.DeleteObjectTagging$,
      's3:DeleteObjectTagging',
      deleteObjectTagging(services),
    ),
  ]
}
