import type { MetadataApi } from '../../../proto/metadata-api.ts'

export interface Page {
  /** Keys, versions and common prefixes. */
  readonly entries: number
  /** Where the next page begins; empty at the end. */
  readonly next: string
}

export interface PageRequest {
  readonly delimiter?: string
  /** What the page before called next. */
  readonly after?: string
}

/** One way to list a bucket, a page of 1,000 at a time. */
export interface Lister {
  objects(bucket: string, request: PageRequest): Promise<Page>
  versions(bucket: string, request: PageRequest): Promise<Page>
}

const limit = 1000

/** Asks metadata itself: what a gateway adds is the difference. */
export function metadataLister(api: MetadataApi): Lister {
  return {
    async objects(bucket, { delimiter = '', after = '' }) {
      const page = await api.call('listObjects', { bucket, delimiter, after, limit })
      return { entries: page.objects.length + page.commonPrefixes.length, next: page.nextAfter }
    },
    async versions(bucket, { after = '' }) {
      const [keyMarker = '', versionIdMarker = ''] = after.split('\n')
      const page = await api.call('listVersions', { bucket, keyMarker, versionIdMarker, limit })
      return {
        entries: page.versions.length,
        next: page.truncated ? `${page.nextKeyMarker}\n${page.nextVersionIdMarker}` : '',
      }
    },
  }
}
