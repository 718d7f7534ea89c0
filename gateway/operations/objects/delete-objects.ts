import type {
  _Error,
  DeletedObject,
  DeleteObjectsCommandInput,
  DeleteObjectsCommandOutput,
} from '@aws-sdk/client-s3'
import {
  DELETE_OBJECTS_IN_FLIGHT_MAX,
  DELETE_OBJECTS_KEYS_MAX,
  OBJECT_KEY_BYTES_MAX,
} from '../../../core/limits.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { readDeleteConditions } from '../../rules/delete-conditions.ts'
import { isVersionId } from '../../rules/version-id.ts'
import { clusterFailure } from '../failures.ts'
import { mapInParallel } from '../map-in-parallel.ts'
import type { OperationInput, RequestContext } from '../operation.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { refuseBypass } from './bypass-governance.ts'
import { deleteVersion } from './delete-version.ts'

type Item = OperationInput<DeleteObjectsCommandInput>['Delete']['Objects'][number]

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 * Every key has its own outcome; only what is wrong with the request as a whole, or a bucket that is not there, is an
 * error of the request. They are answered in the order of the request.
 */
export function deleteObjects(
  services: S3Services,
): S3Handler<DeleteObjectsCommandInput, DeleteObjectsCommandOutput> {
  return async (input, context) => {
    const { Bucket, Delete } = input
    const { Objects, Quiet } = Delete
    await refuseBypass(services, input, context.signal)
    if (Objects.length === 0 || Objects.length > DELETE_OBJECTS_KEYS_MAX) throw new S3Error('MalformedXML')
    if (Objects.some(({ Key }) => Key === '')) throw new S3Error('MalformedXML')
    await services.store.metadata.call('getBucket', { name: Bucket }, context.signal)
    const outcomes = await mapInParallel(Objects, DELETE_OBJECTS_IN_FLIGHT_MAX, (item) =>
      remove(services, Bucket, item, context),
    )
    const Errors = outcomes.flatMap(({ error }) => error ?? [])
    const Deleted = outcomes.flatMap(({ deleted }) => deleted ?? [])
    return {
      ...(Quiet === true || Deleted.length === 0 ? {} : { Deleted }),
      ...(Errors.length === 0 ? {} : { Errors }),
    }
  }
}

interface Outcome {
  readonly deleted?: DeletedObject
  readonly error?: _Error
}

async function remove(
  services: S3Services,
  bucket: string,
  item: Item,
  context: RequestContext,
): Promise<Outcome> {
  try {
    return { deleted: await removed(services, bucket, item, context) }
  } catch (error) {
    const failure = error instanceof S3Error ? error : clusterFailure(error)
    if (failure === undefined) throw error
    if (failure.status >= 500) {
      context.log.warn('the cluster failed to delete an object', { key: item.Key, error })
    }
    return { error: { ...named(item), Code: failure.code, Message: failure.message } }
  }
}

/** @throws {S3Error} for this key alone */
async function removed(
  services: S3Services,
  bucket: string,
  item: Item,
  context: RequestContext,
): Promise<DeletedObject> {
  const { Key, VersionId: versionId = '', ETag: ifMatch, Size: size, LastModifiedTime: lastModified } = item
  if (Buffer.byteLength(Key) > OBJECT_KEY_BYTES_MAX) throw new S3Error('KeyTooLongError')
  await context.access.requireDelete(bucket, Key, versionId === '' ? undefined : versionId)
  // A text that is no version id names a version that is not there.
  if (versionId !== '' && !isVersionId(versionId)) throw new S3Error('NoSuchVersion')
  const conditions = readDeleteConditions({ ifMatch, size, lastModified })
  const deleted = await deleteVersion(services, { bucket, key: Key, versionId, conditions }, context)
  return {
    ...named(item),
    ...(deleted.deleteMarker ? { DeleteMarker: true, DeleteMarkerVersionId: deleted.versionId } : {}),
  }
}

/**
 * As the request named it; what is too long to name anything is cut, where it still is. Anybody may ask, and a megabyte of
 * quotation marks would come back as six.
 */
function named({ Key, VersionId }: Item): { Key: string; VersionId?: string } {
  const cut = (name: string): string => name.slice(0, OBJECT_KEY_BYTES_MAX + 1)
  return VersionId === undefined ? { Key: cut(Key) } : { Key: cut(Key), VersionId: cut(VersionId) }
}
