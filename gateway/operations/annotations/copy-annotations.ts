import type { AnnotationDirective } from '@aws-sdk/client-s3'
import { checksumAlgorithmNamed, defaultChecksumAlgorithm } from '../../../core/checksum/algorithms.ts'
import { ANNOTATION_COPIES_IN_FLIGHT_MAX, ANNOTATIONS_PER_VERSION_MAX } from '../../../core/limits.ts'
import { versionIdOf } from '../../../core/records/version-id.ts'
import type { AnnotationRecord, ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { Content, Store } from '../../../store/api.ts'
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
 * document in which order it does this.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html "x-amz-object-annotation-directive"
 */
export async function annotationsToCopy(
  store: Store,
  source: ObjectRecord,
  directive: AnnotationDirective | undefined,
  signal: AbortSignal,
): Promise<CopyAnnotations> {
  if (source.annotationCount === 0 || directive === 'EXCLUDE') return () => Promise.resolve()
  const { bucket, key } = source
  const asked = { bucket, key, versionId: versionIdOf(source), limit: ANNOTATIONS_PER_VERSION_MAX }
  const { annotations, object = source } = await store.metadata.call('listAnnotations', asked, signal)
  return async (copy) => {
    await mapInParallel(annotations, ANNOTATION_COPIES_IN_FLIGHT_MAX, (annotation) =>
      store.putAnnotation(
        { object: copy, name: annotation.name, content: contentOf(store, object, annotation, signal) },
        signal,
      ),
    )
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
