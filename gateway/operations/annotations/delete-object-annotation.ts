import type {
  DeleteObjectAnnotationCommandInput,
  DeleteObjectAnnotationCommandOutput,
} from '@aws-sdk/client-s3'
import { requestedVersion } from '../../rules/version-id.ts'
import { findObject } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { objectVersionId, readObjectIfMatch } from './annotated-object.ts'

/**
 * Removes an annotation for good. One that is not there is no error: of the operations on one annotation only
 * GetObjectAnnotation declares NoSuchAnnotation.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectAnnotation.html
 */
export function deleteObjectAnnotation({
  store: { metadata },
}: S3Services): S3Handler<DeleteObjectAnnotationCommandInput, DeleteObjectAnnotationCommandOutput> {
  return async (input, context) => {
    const ifMatch = readObjectIfMatch(input)
    const { version } = await findObject(metadata, input, 'DELETE', context)
    await metadata.call(
      'deleteAnnotation',
      {
        bucket: input.Bucket,
        key: input.Key,
        versionId: requestedVersion(input.VersionId),
        name: input.AnnotationName,
        ...(ifMatch === undefined ? {} : { ifMatch }),
      },
      context.signal,
    )
    return objectVersionId(version)
  }
}
