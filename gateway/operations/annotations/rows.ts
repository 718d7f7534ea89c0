/** Annotations of objects. */
import * as s3 from '@aws-sdk/client-s3'
import { ANNOTATION_BYTES_MAX } from '../../../core/limits.ts'
import { storedBody } from '../objects/content.ts'
import { operation, type OperationRow } from '../operation.ts'
import type { S3Services } from '../services.ts'
import { deleteObjectAnnotation } from './delete-object-annotation.ts'
import { getObjectAnnotation } from './get-object-annotation.ts'
import { listObjectAnnotations } from './list-object-annotations.ts'
import { putObjectAnnotation } from './put-object-annotation.ts'

export function annotationRows(services: S3Services): readonly OperationRow[] {
  return [
    operation<s3.PutObjectAnnotationCommandInput, s3.PutObjectAnnotationCommandOutput>(
      s3.PutObjectAnnotation$,
      's3:PutObjectAnnotation',
      putObjectAnnotation(services),
      { ...storedBody, maxBytes: ANNOTATION_BYTES_MAX },
    ),
    operation<s3.GetObjectAnnotationCommandInput, s3.GetObjectAnnotationCommandOutput>(
      s3.GetObjectAnnotation$,
      's3:GetObjectAnnotation',
      getObjectAnnotation(services),
    ),
    operation<s3.ListObjectAnnotationsCommandInput, s3.ListObjectAnnotationsCommandOutput>(
      s3.ListObjectAnnotations$,
      's3:ListObjectAnnotations',
      listObjectAnnotations(services),
    ),
    operation<s3.DeleteObjectAnnotationCommandInput, s3.DeleteObjectAnnotationCommandOutput>(
      s3.DeleteObjectAnnotation$,
      's3:DeleteObjectAnnotation',
      deleteObjectAnnotation(services),
    ),
  ]
}
