/** Which blobs wait in the outbox to be removed. */

import { OUTBOX_PAGE_MAX } from '../../core/limits.ts'
import { OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { askMetadata } from '../blob/context.ts'
import type { FsckContext } from './context.ts'

/** Those of these blobs that a garbage task names. @throws {MetadataError} */
export async function waitingGarbage(
  { world, signal }: FsckContext,
  blobs: ReadonlySet<string>,
): Promise<Set<string>> {
  const found = new Set<string>()
  let after = 0n
  while (found.size < blobs.size) {
    const request = { after, limit: OUTBOX_PAGE_MAX, kind: OutboxKind.GARBAGE }
    const { records } = await askMetadata(world, signal, 'readOutbox', request)
    for (const { task, sequence } of records) {
      after = sequence
      if (task.case !== 'garbage') continue
      for (const { id } of task.value.blobs) if (blobs.has(id)) found.add(id)
    }
    if (records.length === 0) break
  }
  return found
}
