/** Writes one blob by the code of another pool, and makes its record name the new one. */

import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata, type WorkContext } from '../blob/context.ts'
import type { Place } from '../blob/identify.ts'

export interface RecodeSource {
  readonly place: Place
  readonly record: BlobRecord
  readonly storageClass: string
}

/**
 * False: the record became another meanwhile, and the new blob was removed again. The old blob is left to the garbage that
 * metadata queues with the change.
 *
 * @throws {StoreError} the blob could not be read or written now
 * @throws {MetadataError}, or the signal's reason: the change may have been made; what was written stays, for whoever collects
 *   orphans should no record name it
 */
export async function recodeBlob(
  context: WorkContext,
  { place, record, storageClass }: RecodeSource,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, budget } = context
  const replacement = await store.recodeBlob({ blob: record, place, storageClass, budget }, signal)
  let replaced: boolean
  try {
    const request = { place, expected: record, replacement }
    replaced = (await askMetadata(context, signal, 'replaceBlob', request)).replaced
  } catch (error) {
    if (isRefusal(error)) await store.discardBlob(replacement)
    throw error
  }
  if (!replaced) {
    await store.discardBlob(replacement)
    return false
  }
  return true
}

/** Metadata surely changed nothing. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof MetadataError)) return false
  return error.code !== FailureCode.UNAVAILABLE && error.code !== FailureCode.INTERNAL
}
