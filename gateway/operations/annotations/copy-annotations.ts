import type { AnnotationDirective } from '@aws-sdk/client-s3'
import { checksumAlgorithmNamed, defaultChecksumAlgorithm } from '../../../core/checksum/algorithms.ts'
import { ANNOTATION_COPIES_IN_FLIGHT_MAX, ANNOTATIONS_PER_VERSION_MAX } from '../../../core/limits.ts'
import { versionIdOf } from '../../../core/records/version-id.ts'
import { FailureCode, type ListAnnotationsReply } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { AnnotationRecord, ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'
import type { Content, Store } from '../../../store/api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { mapInParallel } from '../map-in-parallel.ts'
import { acceptedContent } from '../objects/content.ts'

/** Gives the copy what its source had. */
type CopyAnnotations = (copy: ObjectRecord) => Promise<void>

/**
 * The annotations that a copy of the source is to have, as they are now: all of them, unless the directive is EXCLUDE.
 * They are one snapshot, and are kept for a while after the source is overwritten, as a copy onto itself does.
 *
 * They are written after the copy, each with its own commit, as the SDKs do it after a multipart copy: until the last one
 * the copy is there without some of them, and a failure in between is an error although the copy is made. S3 does not
 * document in which order it does this. A copy that is replaced or deleted meanwhile needs them no more.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html "x-amz-object-annotation-directive"
 * @throws {S3Error} OperationAborted when the source was replaced or deleted since it was found, and they are gone
 */
export async function annotationsToCopy(
  store: Store,
  source: ObjectRecord,
  directive: AnnotationDirective | undefined,
  signal: AbortSignal,
): Promise<CopyAnnotations> {
  if (source.annotationCount === 0 || directive === 'EXCLUDE') return () => Promise.resolve()
  const { annotations, object } = await listed(store, source, signal)
  // The null version is named alike, whichever object it is.
  if (object?.version !== source.version) throw new S3Error('OperationAborted')
  return async (copy) => {
    try {
      await mapInParallel(annotations, ANNOTATION_COPIES_IN_FLIGHT_MAX, (annotation) =>
        store.putAnnotation(
          { object: copy, name: annotation.name, content: contentOf(store, object, annotation, signal) },
          signal,
        ),
      )
    } catch (error) {
      if (!(error instanceof MetadataError) || !GONE.has(error.code)) throw error
    }
  }
}

/** Refusals of an annotation that mean that its version has been replaced or deleted. */
const GONE: ReadonlySet<FailureCode> = new Set([
  FailureCode.CONDITIONAL_CONFLICT,
  FailureCode.METHOD_NOT_ALLOWED,
  FailureCode.NO_SUCH_VERSION,
])

async function listed(
  store: Store,
  source: ObjectRecord,
  signal: AbortSignal,
): Promise<Pick<ListAnnotationsReply, 'annotations' | 'object'>> {
  const { bucket, key } = source
  const asked = { bucket, key, versionId: versionIdOf(source), limit: ANNOTATIONS_PER_VERSION_MAX }
  try {
    return await store.metadata.call('listAnnotations', asked, signal)
  } catch (error) {
    if (error instanceof MetadataError && GONE.has(error.code)) return { annotations: [] }
    throw error
  }
}

/** The bytes of an annotation, held against its own ETag and checksum: a copy never launders damage. */
function contentOf(
  store: Store,
  object: ObjectRecord,
  annotation: AnnotationRecord,
  signal: AbortSignal,
): Content {
  const [checksum] = annotation.checksums
  const kept = checksumAlgorithmNamed(checksum?.algorithm ?? '') ?? defaultChecksumAlgorithm
  return {
    size: Number(annotation.size),
    bytes: store.readAnnotation(object, annotation, signal),
    digests: [...new Set(['MD5' as const, kept])],
    accept(taken) {
      const accepted = acceptedContent(kept, taken)
      const same = accepted.checksums[0]?.value === checksum?.value && accepted.etag === annotation.etag
      if (!same) throw new Error(`the annotation ${annotation.name} was read otherwise than it was written`)
      return accepted
    },
  }
}
