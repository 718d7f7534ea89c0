/** The parts of a many-part object. */

import { FSCK_PAGE_RECORDS } from '../../core/limits.ts'
import type { ManifestPage, ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata } from '../blob/context.ts'
import type { FsckContext } from './context.ts'
import { unlessGone } from './gone.ts'

/** Undefined where the object is gone, or pages are missing: that is for the check of records among themselves to say. */
export async function manifestOf(
  context: FsckContext,
  object: ObjectRecord,
): Promise<readonly PartRecord[] | undefined> {
  const pageCount = object.manifest?.pageOffsets.length ?? 0
  const pages = await pagesOf(context, object, pageCount)
  return pages.length === pageCount ? pages.flatMap(({ parts }) => parts) : undefined
}

async function pagesOf(
  { world, signal }: FsckContext,
  { bucket, key, version }: ObjectRecord,
  count: number,
): Promise<ManifestPage[]> {
  const pages: ManifestPage[] = []
  for (let firstPage = 0; firstPage < Math.min(count, FSCK_PAGE_RECORDS); firstPage++) {
    const request = { bucket, key, version, firstPage, pageCount: 1 }
    try {
      const page = await unlessGone(askMetadata(world, signal, 'getManifest', request))
      pages.push(...(page?.pages ?? []))
    } catch (error) {
      // A page that cannot be decoded is as good as missing.
      if (!(error instanceof MetadataError)) throw error
    }
  }
  return pages
}
