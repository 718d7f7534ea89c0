/** The annotations of a version. */

import { FSCK_PAGE_RECORDS } from '../../core/limits.ts'
import type { AnnotationRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { askMetadata } from '../blob/context.ts'
import type { FsckContext } from './context.ts'
import { unlessGone } from './gone.ts'

/** None where the version is another by now. */
export async function annotationsOf(
  { world, signal }: FsckContext,
  { bucket, key, version: of }: ObjectRecord,
  versionId: string,
): Promise<readonly AnnotationRecord[]> {
  const annotations: AnnotationRecord[] = []
  let after = ''
  for (;;) {
    const request = { bucket, key, versionId, after, limit: FSCK_PAGE_RECORDS }
    const page = await unlessGone(askMetadata(world, signal, 'listAnnotations', request))
    if (page?.object?.version !== of) return []
    annotations.push(...page.annotations)
    after = page.annotations.at(-1)?.name ?? ''
    if (!page.truncated || after === '') return annotations
  }
}
