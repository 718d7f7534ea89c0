/** The parts of a many-part object, and whether they add up to it. */

import { FSCK_PAGE_RECORDS } from '../../core/limits.ts'
import type { ManifestPage, ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata } from '../blob/context.ts'
import type { FsckContext } from './context.ts'
import { unlessGone } from './gone.ts'

/**
 * The parts, as far as pages are there; undefined where the object is gone, or pages are missing.
 * @param tells whether to tell of what does not add up
 */
export async function manifestOf(
  context: FsckContext,
  object: ObjectRecord,
  versionId: string,
  tells: boolean,
): Promise<readonly PartRecord[] | undefined> {
  const pageCount = object.manifest?.pageOffsets.length ?? 0
  const pages = await pagesOf(context, object, pageCount)
  if (pages.length === pageCount) {
    const detail = contradiction(object, pages)
    if (detail === undefined) return pages.flatMap(({ parts }) => parts)
    if (tells) context.tell({ kind: 'manifest', detail, place: placeOf(object) })
    return pages.flatMap(({ parts }) => parts)
  }
  const { world, signal } = context
  const { bucket, key } = object
  const now = await unlessGone(askMetadata(world, signal, 'getObject', { bucket, key, versionId }))
  if (now?.object?.version !== object.version) return undefined
  const detail = `of its manifest's ${pageCount} pages, ${pageCount - pages.length} are missing`
  if (tells) context.tell({ kind: 'manifest', detail, place: placeOf(object) })
  return undefined
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

function placeOf({ bucket, key, version }: ObjectRecord) {
  return { bucket, key, version }
}

function contradiction({ size, manifest }: ObjectRecord, pages: readonly ManifestPage[]): string | undefined {
  let offset = 0n
  let count = 0
  let last = 0
  for (const [index, { parts }] of pages.entries()) {
    if (manifest?.pageOffsets[index] !== offset) {
      return `page ${index} of its manifest begins elsewhere than it says`
    }
    for (const { partNumber, size: partSize, blob } of parts) {
      if (partNumber <= last) return `part ${partNumber} of its manifest is out of order`
      if ((blob?.size ?? 0n) !== partSize) {
        return `part ${partNumber} is of ${partSize} bytes, its blob is not`
      }
      last = partNumber
      offset += partSize
      count++
    }
  }
  if (count !== manifest?.partCount) return `its manifest has ${count} parts, not ${manifest?.partCount ?? 0}`
  return offset === size ? undefined : `its parts are of ${offset} bytes together, not of ${size}`
}
