/**
 * An object's record, by its current version or by a version id, and the names of versions in answers.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
 */
import { formatVersionId, versionIdOf } from '../../../core/records/version-id.ts'
import { BucketVersioning, type ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { formatHttpDate } from '../../schema/values.ts'
import { requestedVersion } from '../../rules/version-id.ts'
import type { ObjectNeed } from '../../authorize/decide.ts'
import type { RequestContext } from '../operation.ts'

export interface ObjectName {
  readonly Bucket: string
  readonly Key: string
  readonly VersionId?: string | undefined
}

/** A version that can be read, and how answers name it. */
export interface FoundObject {
  readonly record: ObjectRecord
  /** `x-amz-version-id`: `null` for the null version, but only in a bucket that has, or had, versioning. */
  readonly version: { readonly VersionId?: string }
}

/**
 * The version that a request speaks of.
 * @param method of the request, which the refusal of a delete marker names
 * @param need what the sender must be allowed
 * @throws {S3Error} InvalidArgument for a malformed version id; AccessDenied; MethodNotAllowed when the version is a delete
 *   marker
 * @throws {MetadataError} NO_SUCH_BUCKET, NO_SUCH_KEY (also when the current version is a delete marker), NO_SUCH_VERSION
 */
export async function findObject(
  metadata: MetadataApi,
  { Bucket, Key, VersionId }: ObjectName,
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE',
  { access, signal }: Pick<RequestContext, 'access' | 'signal'>,
  need: ObjectNeed = 'READ',
): Promise<FoundObject> {
  const request = { bucket: Bucket, key: Key, versionId: requestedVersion(VersionId) }
  const { record, versioning } = await access.object(Bucket, need, async () => {
    const reply = await metadata.call('getObject', request, signal)
    if (reply.object === undefined) throw new Error('metadata answered getObject without an object')
    return { record: reply.object, versioning: reply.versioning }
  })
  if (record.deleteMarker) throw deleteMarkerRefusal(record, method)
  const unnamed = versioning === BucketVersioning.NEVER && !record.versioned
  return { record, version: unnamed ? {} : { VersionId: versionIdOf(record) } }
}

/** A delete marker can be deleted, and nothing else; the User Guide names the headers. */
function deleteMarkerRefusal(marker: ObjectRecord, method: string): S3Error {
  return new S3Error('MethodNotAllowed', {
    fields: { Method: method, ResourceType: 'DeleteMarker' },
    headers: {
      allow: 'DELETE',
      'last-modified': formatHttpDate(new Date(Number(marker.lastModifiedMs))),
      'x-amz-delete-marker': 'true',
      'x-amz-version-id': versionIdOf(marker),
    },
  })
}

/**
 * For `catch`: the tags of an object, and its list when it is to be written, are refused at a current delete marker as they
 * are where one is named: 405, and not the 404 of everything else (recorded of the service by LocalStack's
 * `test_object_tagging_versioned` and `test_put_object_acl_on_delete_marker`).
 */
export function refuseAtMarker(method: string): (thrown: unknown) => never {
  return (thrown) => {
    if (!(thrown instanceof MetadataError)) throw thrown
    const { DeleteMarker, VersionId } = thrown.fields
    if (DeleteMarker === undefined) throw thrown
    throw new S3Error('MethodNotAllowed', {
      fields: { Method: method, ResourceType: 'DeleteMarker' },
      headers: {
        allow: 'DELETE',
        'x-amz-delete-marker': DeleteMarker,
        ...(VersionId === undefined ? {} : { 'x-amz-version-id': VersionId }),
      },
    })
  }
}

/** `x-amz-version-id` of a write: told only where versioning is enabled, not where it is suspended. */
export function writtenVersionId(record: ObjectRecord): { VersionId?: string } {
  return record.versioned ? { VersionId: formatVersionId(record) } : {}
}
