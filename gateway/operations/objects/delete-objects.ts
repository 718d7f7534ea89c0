import type { DeleteObjectsCommandInput, DeleteObjectsCommandOutput } from '@aws-sdk/client-s3'
import {
  DELETE_OBJECTS_IN_FLIGHT_MAX,
  DELETE_OBJECTS_KEYS_MAX,
  OBJECT_KEY_BYTES_MAX,
} from '../../../core/limits.ts'
import type { Store } from '../../../store/api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { entityTags } from '../../rules/conditions.ts'
import { mapInParallel } from '../map-in-parallel.ts'
import { clusterFailure } from '../failures.ts'
import type { OperationInput, RequestContext } from '../operation.ts'
import type { S3Handler, S3Services } from '../services.ts'
import { notBuilt } from '../unsupported.ts'

type Item = OperationInput<DeleteObjectsCommandInput>['Delete']['Objects'][number]

/**
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
 * Every key has its own outcome; only what is wrong with the request as a whole, or a bucket that is not there, is an
 * error of the request.
 */
export function deleteObjects({
  store,
}: S3Services): S3Handler<DeleteObjectsCommandInput, DeleteObjectsCommandOutput> {
  return async ({ Bucket, Delete: { Objects, Quiet } }, context) => {
    if (Objects.length === 0 || Objects.length > DELETE_OBJECTS_KEYS_MAX) throw new S3Error('MalformedXML')
    for (const item of Objects) refuseItem(item)
    await store.metadata.call('getBucket', { name: Bucket }, context.signal)
    const refusals = await mapInParallel(Objects, DELETE_OBJECTS_IN_FLIGHT_MAX, (item) =>
      remove(store, Bucket, item, context),
    )
    const outcomes = Objects.map((item, index) => ({ ...named(item), refusal: refusals[index] }))
    const Errors = outcomes.flatMap(({ refusal, ...item }) =>
      refusal === undefined ? [] : [{ ...item, Code: refusal.code, Message: refusal.message }],
    )
    const Deleted = outcomes.flatMap(({ refusal, ...item }) => (refusal === undefined ? [item] : []))
    return {
      ...(Quiet === true || Deleted.length === 0 ? {} : { Deleted }),
      ...(Errors.length === 0 ? {} : { Errors }),
    }
  }
}

/** What makes the whole document wrong, or is not built: versions, and the conditions that only directory buckets have. */
function refuseItem({ Key, VersionId, LastModifiedTime, Size }: Item): void {
  if (Key === '') throw new S3Error('MalformedXML')
  if (VersionId !== undefined && VersionId !== 'null') throw notBuilt('Element', 'VersionId')
  if (LastModifiedTime !== undefined) throw notBuilt('Element', 'LastModifiedTime')
  if (Size !== undefined) throw notBuilt('Element', 'Size')
}

/** @returns why it was not deleted; undefined when it was */
async function remove(
  store: Store,
  bucket: string,
  { Key, ETag }: Item,
  { signal, log }: RequestContext,
): Promise<S3Error | undefined> {
  if (Buffer.byteLength(Key) > OBJECT_KEY_BYTES_MAX) return new S3Error('KeyTooLongError')
  const conditions = { ifMatch: ETag === undefined ? [] : entityTags(ETag) }
  try {
    await store.metadata.call('deleteObject', { bucket, key: Key, conditions }, signal)
    return undefined
  } catch (error) {
    const failure = clusterFailure(error)
    if (failure === undefined) throw error
    if (failure.status >= 500) log.warn('the cluster failed to delete an object', { key: Key, error })
    return failure
  }
}

function named({ Key, VersionId }: Item): { Key: string; VersionId?: string } {
  return VersionId === undefined ? { Key } : { Key, VersionId }
}
