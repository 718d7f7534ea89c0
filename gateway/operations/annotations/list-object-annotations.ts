import type {
  AnnotationEntry,
  ListObjectAnnotationsCommandInput,
  ListObjectAnnotationsCommandOutput,
} from '@aws-sdk/client-s3'
import { checksumAlgorithmNamed } from '../../../core/checksum/algorithms.ts'
import { versionIdOf } from '../../../core/records/version-id.ts'
import type { AnnotationRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { requireAnnotationPrefix } from '../../rules/annotations.ts'
import { formatContinuationToken, parseContinuationToken } from '../../rules/continuation-token.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import { requireListLimit } from '../list-limit.ts'
import { findObject } from '../objects/find-object.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { objectVersionId, requireSameVersion } from './annotated-object.ts'

/**
 * In order of name, as UTF-8.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectAnnotations.html
 */
export function listObjectAnnotations({
  store: { metadata },
}: S3Services): S3Handler<ListObjectAnnotationsCommandInput, ListObjectAnnotationsCommandOutput> {
  return async (input, context) => {
    const { Bucket: bucket, Key: key, ContinuationToken: token, AnnotationPrefix: prefix } = input
    const limit = requireListLimit('max-annotation-results', input.MaxAnnotationResults)
    requireAnnotationPrefix(prefix ?? '')
    const after = token === undefined ? '' : parseContinuationToken(token)
    const { record, version } = await findObject(metadata, input, 'GET', context)
    const { annotations, truncated, object } = await metadata.call(
      'listAnnotations',
      { bucket, key, versionId: requestedVersion(input.VersionId), prefix: prefix ?? '', after, limit },
      context.signal,
    )
    if (object === undefined) throw new Error('metadata answered without the object')
    requireSameVersion(record, object)
    const last = annotations.at(-1)
    return {
      Bucket: bucket,
      Key: key,
      ...objectVersionId(version.VersionId === undefined ? {} : { VersionId: versionIdOf(object) }),
      ...(prefix === undefined ? {} : { AnnotationPrefix: prefix }),
      MaxAnnotationResults: limit,
      AnnotationCount: annotations.length,
      ...(token === undefined ? {} : { ContinuationToken: token }),
      ...(truncated && last !== undefined
        ? { NextContinuationToken: formatContinuationToken(last.name) }
        : {}),
      Annotations: annotations.map(entryOf),
    }
  }
}

function entryOf({ name, lastModifiedMs, etag, size, checksums }: AnnotationRecord): AnnotationEntry {
  return {
    AnnotationName: name,
    LastModified: new Date(Number(lastModifiedMs)),
    ETag: `"${etag}"`,
    ChecksumAlgorithm: checksums.flatMap(({ algorithm }) => checksumAlgorithmNamed(algorithm) ?? []),
    Size: Number(size),
  }
}
