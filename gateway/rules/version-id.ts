/** Version ids in requests: what S3 calls malformed, before it looks for the version. */
import { NULL_VERSION_ID, parseVersionId } from '../../core/records/version-id.ts'
import { invalidArgument } from '../errors/s3-error.ts'

/** `null`, or an id of the form that is given out; whether there is such a version is another question. */
export function isVersionId(text: string): boolean {
  return text === NULL_VERSION_ID || parseVersionId(text) !== undefined
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
