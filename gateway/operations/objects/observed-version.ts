/** What a conditional write saw as it began, so that its commit can tell a conflict from an object that never was. */
import { versionIdOf } from '../../../core/records/version-id.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import { S3Error } from '../../errors/s3-error.ts'
import { preconditionFailed } from '../../rules/conditions.ts'
import type { WriteConditions } from '../../rules/write-conditions.ts'

/**
 * The current version, looked up where the write has a condition. What does not hold now is refused before the client has
 * sent the body, as the answer to its `Expect: 100-continue`; whether it still holds, the commit decides. When the object
 * is deleted before the commit, S3 answers 409 ConditionalRequestConflict, and 404 when there was none to begin with.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html "Conditional write behavior"
 * @returns empty for no object; absent, and nothing asked of metadata, where no condition needs it
 * @throws {S3Error} NoSuchKey, PreconditionFailed @throws {MetadataError} any refusal but NO_SUCH_KEY
 */
export async function refuseEarly(
  metadata: MetadataApi,
  { Bucket: bucket, Key: key }: { readonly Bucket: string; readonly Key: string },
  conditions: WriteConditions,
  signal: AbortSignal,
): Promise<{ readonly observedVersion?: string }> {
  const { ifMatch, ifNoneMatchAny } = conditions
  if (ifMatch.length === 0 && !ifNoneMatchAny) return {}
  const current = await currentObject(metadata, bucket, key, signal)
  if (ifNoneMatchAny && current !== undefined) throw preconditionFailed('If-None-Match')
  if (ifMatch.length > 0) {
    if (current === undefined) throw new S3Error('NoSuchKey')
    if (!ifMatch.includes('*') && !ifMatch.includes(current.etag)) throw preconditionFailed('If-Match')
  }
  return { observedVersion: idOf(current) }
}

const idOf = (current: ObjectRecord | undefined): string =>
  current === undefined ? '' : versionIdOf(current)

/** Undefined when there is none, or only a delete marker. */
async function currentObject(
  metadata: MetadataApi,
  bucket: string,
  key: string,
  signal: AbortSignal,
): Promise<ObjectRecord | undefined> {
  try {
    const { object } = await metadata.call('getObject', { bucket, key }, signal)
    if (object === undefined) throw new Error('metadata answered without the object')
    return object
  } catch (error) {
    if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_KEY) return undefined
    throw error
  }
}
