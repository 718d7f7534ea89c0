/** Multipart uploads. */
import * as s3 from '@aws-sdk/client-s3'
import { XML_BODY_BYTES_MAX } from '../../../core/limits.ts'
import { storedBody } from '../objects/content.ts'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { abortMultipartUpload } from './abort-multipart-upload.ts'
import { completeMultipartUpload } from './complete-multipart-upload.ts'
import { createMultipartUpload } from './create-multipart-upload.ts'
import { listMultipartUploads } from './list-multipart-uploads.ts'
import { listParts } from './list-parts.ts'
import { uploadPartCopy } from './upload-part-copy.ts'
import { uploadPart } from './upload-part.ts'

export function uploadRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.CreateMultipartUploadCommandInput, s3.CreateMultipartUploadCommandOutput>(
      s3.CreateMultipartUpload$,
      's3:PutObject',
      createMultipartUpload(services),
    ),
    operation<s3.UploadPartCommandInput, s3.UploadPartCommandOutput>(
      s3.UploadPart$,
      's3:PutObject',
      uploadPart(services),
      storedBody,
    ),
    operation<s3.UploadPartCopyCommandInput, s3.UploadPartCopyCommandOutput>(
      s3.UploadPartCopy$,
      's3:PutObject',
      uploadPartCopy(services),
      {},
      { keepAlive: true },
    ),
    operation<s3.CompleteMultipartUploadCommandInput, s3.CompleteMultipartUploadCommandOutput>(
      s3.CompleteMultipartUpload$,
      's3:PutObject',
      completeMultipartUpload(services),
      // Here `x-amz-checksum-*` is the object's and not the document's.
      { checksumsDescribeBody: false, documentBytesMax: XML_BODY_BYTES_MAX },
      { keepAlive: true },
    ),
    operation<s3.AbortMultipartUploadCommandInput, s3.AbortMultipartUploadCommandOutput>(
      s3.AbortMultipartUpload$,
      's3:AbortMultipartUpload',
      abortMultipartUpload(services),
    ),
    operation<s3.ListPartsCommandInput, s3.ListPartsCommandOutput>(
      s3.ListParts$,
      's3:ListMultipartUploadParts',
      listParts(services),
    ),
    operation<s3.ListMultipartUploadsCommandInput, s3.ListMultipartUploadsCommandOutput>(
      s3.ListMultipartUploads$,
      's3:ListBucketMultipartUploads',
      listMultipartUploads(services),
    ),
  ]
}
