/** Looks for a version whose commit was sent and not answered. */

import { COMMIT_INQUIRY_VERSIONS_MAX } from '../../core/limits.ts'
import { NULL_VERSION_ID, parseVersionId } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'

/** What the writer knows of it: not its version id, for that holds the order which only the commit gave it. */
export interface WrittenVersion {
  readonly bucket: string
  readonly key: string
  /** 32 hex digits. */
  readonly version: string
}

/**
 * The version as the current object or, in a bucket with versions, among the newest of its key, where others may have
 * superseded it since.
 * @throws {MetadataError}
 */
export async function findVersion(
  metadata: MetadataApi,
  written: WrittenVersion,
  signal: AbortSignal,
): Promise<ObjectRecord | undefined> {
  const { bucket, key, version } = written
  const current = await currentOf(metadata, written, signal)
  if (current === 'none') return undefined
  if (current !== 'marker') {
    if (current.version === version) return current
    // Of a bucket that never had versions: what it replaced is gone.
    if (current.order === 0n) return undefined
  }
  // The key itself sorts before all others that it is a prefix of.
  const asked = { bucket, prefix: key, limit: COMMIT_INQUIRY_VERSIONS_MAX }
  const { versions } = await metadata.call('listVersions', asked, signal)
  for (const { object, versionId } of versions) {
    if (object?.key !== key) return undefined
    if (versionId !== NULL_VERSION_ID && parseVersionId(versionId)?.version !== version) continue
    const found = await metadata.call('getObject', { bucket, key, versionId }, signal)
    if (found.object?.version === version) return found.object
  }
  return undefined
}

async function currentOf(
  metadata: MetadataApi,
  { bucket, key }: WrittenVersion,
  signal: AbortSignal,
): Promise<ObjectRecord | 'marker' | 'none'> {
  try {
    const { object } = await metadata.call('getObject', { bucket, key }, signal)
    return object ?? 'none'
  } catch (error) {
    if (!(error instanceof MetadataError) || error.code !== FailureCode.NO_SUCH_KEY) throw error
    return error.fields['DeleteMarker'] === 'true' ? 'marker' : 'none'
  }
}
