import { versionIdOf } from '../../../core/records/version-id.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import type { Tag } from '../../rules/tags.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import { clusterFailure } from '../failures.ts'
import type { ObjectName } from '../objects/find-object.ts'
import type { RequestContext } from '../operation.ts'

/**
 * Replaces the tags of one version, without making another.
 * @param method of the request, which the refusal of a delete marker names
 * @returns `x-amz-version-id`, as reads tell it
 * @throws {S3Error} InvalidArgument for a malformed version id; MethodNotAllowed when the version is a delete marker
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY, NO_SUCH_VERSION
 */
export async function replaceTags(
  metadata: MetadataApi,
  { Bucket: bucket, Key: key, VersionId }: ObjectName,
  tags: readonly Tag[],
  method: 'PUT' | 'DELETE',
  { access, signal }: RequestContext,
): Promise<{ VersionId?: string }> {
  const versionId = requestedVersion(VersionId)
  const request = { bucket, key, versionId, tags: { tags: [...tags] } }
  try {
    const { object } = await metadata.call('updateObject', request, signal)
    if (object === undefined) throw new Error('metadata answered without the object')
    if (object.versioned) return { VersionId: versionIdOf(object) }
    const { versioning } = await access.bucket(bucket)
    return versioning === BucketVersioning.NEVER ? {} : { VersionId: versionIdOf(object) }
  } catch (error) {
    throw naming(error, method)
  }
}

/** The document of a delete marker's refusal names the method. */
function naming(error: unknown, method: string): unknown {
  if (!(error instanceof MetadataError) || error.code !== FailureCode.METHOD_NOT_ALLOWED) return error
  const failure = clusterFailure(error)
  return new S3Error('MethodNotAllowed', {
    fields: { Method: method, ...failure?.fields },
    ...(failure === undefined ? {} : { headers: failure.headers }),
  })
}
