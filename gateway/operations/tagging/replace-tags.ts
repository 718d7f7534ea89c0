import { versionIdOf } from '../../../core/records/version-id.ts'
import { BucketVersioning } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import type { Tag } from '../../rules/tags.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import { refuseAtMarker, type ObjectName } from '../objects/find-object.ts'
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
  const update = metadata.call('updateObject', request, signal)
  const { object } = await update.catch(refuseAtMarker(method))
  if (object === undefined) throw new Error('metadata answered without the object')
  if (object.versioned) return { VersionId: versionIdOf(object) }
  const { versioning } = await access.bucket(bucket)
  return versioning === BucketVersioning.NEVER ? {} : { VersionId: versionIdOf(object) }
}
