/** Objects: their bytes and headers. */
import * as s3 from '@aws-sdk/client-s3'
import { XML_BODY_BYTES_MAX } from '../../../core/limits.ts'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { storedBody } from './content.ts'
import { copyObject } from './copy-object.ts'
import { deleteObject } from './delete-object.ts'
import { deleteObjects } from './delete-objects.ts'
import { getObjectAttributes } from './get-object-attributes.ts'
import { getObject } from './get-object.ts'
import { headObject } from './head-object.ts'
import { putObject } from './put-object.ts'

export function objectRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutObjectCommandInput, s3.PutObjectCommandOutput>(
      s3.PutObject$,
      's3:PutObject',
      putObject(services),
      storedBody,
    ),
    operation<s3.CopyObjectCommandInput, s3.CopyObjectCommandOutput>(
      s3.CopyObject$,
      's3:PutObject',
      copyObject(services),
      {},
      { keepAlive: true },
    ),
    operation<s3.GetObjectCommandInput, s3.GetObjectCommandOutput>(
      s3.GetObject$,
      's3:GetObject',
      getObject(services),
    ),
    operation<s3.HeadObjectCommandInput, s3.HeadObjectCommandOutput>(
      s3.HeadObject$,
      's3:GetObject',
      headObject(services),
    ),
    operation<s3.GetObjectAttributesCommandInput, s3.GetObjectAttributesCommandOutput>(
      s3.GetObjectAttributes$,
      's3:GetObjectAttributes',
      getObjectAttributes(services),
    ),
    operation<s3.DeleteObjectCommandInput, s3.DeleteObjectCommandOutput>(
      s3.DeleteObject$,
      's3:DeleteObject',
      deleteObject(services),
    ),
    operation<s3.DeleteObjectsCommandInput, s3.DeleteObjectsCommandOutput>(
      s3.DeleteObjects$,
      's3:DeleteObject',
      deleteObjects(services),
      { checksumRequired: true, documentBytesMax: XML_BODY_BYTES_MAX },
    ),
  ]
}
