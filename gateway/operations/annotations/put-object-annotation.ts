import type { PutObjectAnnotationCommandInput, PutObjectAnnotationCommandOutput } from '@aws-sdk/client-s3'
import { defaultChecksumAlgorithm } from '../../../core/checksum/algorithms.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { requireAnnotationName, utf8Only } from '../../rules/annotations.ts'
import { contentOf } from '../objects/content.ts'
import { findObject } from '../objects/find-object.ts'
import { checksumMembers } from '../objects/object-members.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { objectVersionId, readObjectIfMatch, requireObjectMatch } from './annotated-object.ts'

/**
 * Attaches a text to one version of an object, or replaces it; the object itself stays as it is, its time included.
 * What the head alone can refuse is refused before the first byte of the text. A payload of no bytes is InvalidRequest:
 * that one byte is the least is documented, the answer is not; chosen from the errors that the operation declares.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAnnotation.html
 */
export function putObjectAnnotation({
  store,
}: S3Services): S3Handler<PutObjectAnnotationCommandInput, PutObjectAnnotationCommandOutput> {
  return async (input, context) => {
    const { Key, AnnotationName: name, AnnotationPayload: payload } = input
    requireAnnotationName(name)
    if (payload.size === 0) {
      throw new S3Error('InvalidRequest', { message: 'An annotation must have at least one byte.' })
    }
    const ifMatch = readObjectIfMatch(input)
    const { record, version } = await findObject(store.metadata, input, 'PUT', context)
    requireObjectMatch(ifMatch, record)
    const content = contentOf(payload, payload.checksumAlgorithm ?? defaultChecksumAlgorithm)
    const put = {
      object: record,
      name,
      ...(ifMatch === undefined ? {} : { ifMatch }),
      content: { ...content, bytes: utf8Only(content.bytes) },
    }
    try {
      const { annotation } = await store.putAnnotation(put, context.signal)
      return {
        Key,
        AnnotationName: name,
        ...objectVersionId(version),
        ETag: `"${annotation.etag}"`,
        ...checksumMembers(annotation.checksums),
      }
    } catch (error) {
      throw input.VersionId === undefined ? ofCurrentVersion(error) : error
    }
  }
}

/** The version that was current has been removed meanwhile: to who named none, it is the object that is not there. */
function ofCurrentVersion(error: unknown): unknown {
  const gone = error instanceof MetadataError && error.code === FailureCode.NO_SUCH_VERSION
  return gone ? new S3Error('NoSuchKey') : error
}
