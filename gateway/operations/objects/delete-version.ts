/** One delete, as DeleteObject and DeleteObjects do it alike. */
import type { DeleteConditions } from '../../rules/delete-conditions.ts'
import type { RequestContext } from '../operation.ts'
import type { S3Services } from '../services.ts'

export interface VersionToDelete {
  readonly bucket: string
  readonly key: string
  /** Empty: the current one, or a delete marker in its place. */
  readonly versionId: string
  readonly conditions: DeleteConditions
}

export interface DeletedVersion {
  /** A delete marker was made, or the version deleted was one. */
  readonly deleteMarker: boolean
  /** Of the version deleted, or of the delete marker made; empty where the bucket never had versions. */
  readonly versionId: string
}

/**
 * Deleting what is not there succeeds, a version that is named included: it is answered by its name.
 * @throws {MetadataError} NO_SUCH_BUCKET; NO_SUCH_KEY, NO_SUCH_VERSION and PRECONDITION_FAILED under conditions
 */
export async function deleteVersion(
  { store, newVersion }: S3Services,
  { bucket, key, versionId, conditions }: VersionToDelete,
  { access, signal }: RequestContext,
): Promise<DeletedVersion> {
  return await store.metadata.call(
    'deleteObject',
    { bucket, key, versionId, conditions, markerVersion: newVersion(), owner: access.requester },
    signal,
  )
}
