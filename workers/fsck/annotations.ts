/** The annotations of a version, and whether they are as many as it says. */

import { FSCK_PAGE_RECORDS } from '../../core/limits.ts'
import type { AnnotationRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { askMetadata } from '../blob/context.ts'
import type { FsckContext } from './context.ts'
import { unlessGone } from './gone.ts'

/** @param tells whether to tell of a number that differs */
export async function annotationsOf(
  context: FsckContext,
  object: ObjectRecord,
  versionId: string,
  tells: boolean,
): Promise<readonly AnnotationRecord[]> {
  const found = await listAll(context, object, versionId)
  if (!tells || found.annotations.length === found.said) return found.annotations
  const again = await listAll(context, object, versionId)
  if (again.annotations.length !== again.said && again.version === object.version) {
    const { bucket, key, version } = object
    const detail = `its record says ${again.said} annotations, ${again.annotations.length} are there`
    context.tell({ kind: 'annotations', detail, place: { bucket, key, version } })
  }
  return again.annotations
}

async function listAll(
  { world, signal }: FsckContext,
  { bucket, key, version: of }: ObjectRecord,
  versionId: string,
): Promise<{ annotations: AnnotationRecord[]; said: number; version: string }> {
  const annotations: AnnotationRecord[] = []
  let after = ''
  let said = 0
  let version = ''
  for (;;) {
    const request = { bucket, key, versionId, after, limit: FSCK_PAGE_RECORDS }
    const page = await unlessGone(askMetadata(world, signal, 'listAnnotations', request))
    if (page?.object?.version !== of) return { annotations: [], said: 0, version: '' }
    annotations.push(...page.annotations)
    said = page.object.annotationCount
    version = page.object.version
    after = page.annotations.at(-1)?.name ?? ''
    if (!page.truncated || after === '') return { annotations, said, version }
  }
}
