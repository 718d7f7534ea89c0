import type { GetObjectAnnotationCommandInput, GetObjectAnnotationCommandOutput } from '@aws-sdk/client-s3'
import { versionIdOf } from '../../../core/records/version-id.ts'
import { begunBody } from '../objects/begun-body.ts'
import { findObject } from '../objects/find-object.ts'
import { checksumMembers } from '../objects/object-members.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { objectVersionId, requireSameVersion } from './annotated-object.ts'

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAnnotation.html */
export function getObjectAnnotation({
  store,
}: S3Services): S3Handler<GetObjectAnnotationCommandInput, GetObjectAnnotationCommandOutput> {
  return async (input, context) => {
    const { record, version } = await findObject(store.metadata, input, 'GET', context)
    const { bucket, key } = record
    const versionId = input.VersionId === undefined ? '' : versionIdOf(record)
    const asked = { bucket, key, versionId, name: input.AnnotationName }
    const { annotation, object } = await store.metadata.call('getAnnotation', asked, context.signal)
    if (annotation === undefined || object === undefined) throw new Error('metadata answered without records')
    requireSameVersion(record, object)
    const size = Number(annotation.size)
    return {
      AnnotationPayload: await begunBody(size, store.readAnnotation(object, annotation, context.signal)),
      ...objectVersionId(version.VersionId === undefined ? {} : { VersionId: versionIdOf(object) }),
      LastModified: new Date(Number(annotation.lastModifiedMs)),
      ContentLength: size,
      ETag: `"${annotation.etag}"`,
      ...(input.ChecksumMode === 'ENABLED' ? checksumMembers(annotation.checksums) : {}),
    }
  }
}
