/** Version ids in requests: what S3 calls malformed, before it looks for the version. */
import { NULL_VERSION_ID, parseVersionId } from '../../core/records/version-id.ts'
import { invalidArgument } from '../errors/s3-error.ts'

/** Orders of versions are counted, and never come this far: see `Sequence.take` of metadata. */
const ORDER_MAX = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * `null`, or an id of the form that is given out; whether there is such a version is another question. Of other systems'
 * ids only one in 2,048 passes: S3 knows its own, too, and refuses the others before it looks (recorded by LocalStack's
 * `test_delete_object` and `test_get_object_with_version_unversioned_bucket`).
 */
export function isVersionId(text: string): boolean {
  if (text === NULL_VERSION_ID) return true
  const place = parseVersionId(text)
  return place !== undefined && place.order <= ORDER_MAX
}

/**
 * The version that a request names, as metadata takes it: empty for the current one.
 * @param name where the request has it, e.g. `versionId`
 * @throws {S3Error} InvalidArgument
 */
export function requestedVersion(given: string | undefined, name = 'versionId'): string {
  if (given === undefined) return ''
  if (given === '') throw invalidArgument(name, given, 'Version id cannot be the empty string')
  if (!isVersionId(given)) throw invalidArgument(name, given, 'Invalid version id specified')
  return given
}
