import { describe, it } from 'node:test'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { annotationEndCases } from './metadata-api-annotations-end.ts'
import { annotationCases } from './metadata-api-annotations.ts'
import { blobModelCases } from './metadata-api-blobs-model.ts'
import { blobCases } from './metadata-api-blobs.ts'
import { bucketCases } from './metadata-api-buckets.ts'
import { clusterCases } from './metadata-api-cluster.ts'
import { leaseCases } from './metadata-api-leases.ts'
import { listingCases } from './metadata-api-listing.ts'
import { objectCases } from './metadata-api-objects.ts'
import { outboxCases } from './metadata-api-outbox.ts'
import { replaceBlobCases } from './metadata-api-replace-blob.ts'
import { riskCases } from './metadata-api-risk.ts'
import { settingCases } from './metadata-api-settings.ts'
import { topologyCases } from './metadata-api-topology.ts'
import { uploadCases } from './metadata-api-uploads.ts'
import { versionModelCases } from './metadata-api-versions-model.ts'
import { versionReadCases } from './metadata-api-version-reads.ts'
import { versionCases } from './metadata-api-versions.ts'

/** A metadata service of its own, with nothing in it, and its end. */
export type MetadataFactory = () => Promise<{ api: MetadataApi; dispose: () => Promise<void> }>

/** One thing that must hold; `api` belongs to it alone. */
export type Case = readonly [what: string, run: (api: MetadataApi) => Promise<void>]

/** What everyone who answers as MetadataApi must do, however it is reached. */
export function metadataContract(
  name: string,
  open: MetadataFactory,
  except: ReadonlySet<string> = new Set(),
): void {
  describe(`metadata: ${name}`, () => {
    for (const [what, run] of [
      ...bucketCases,
      ...settingCases,
      ...annotationCases,
      ...annotationEndCases,
      ...objectCases,
      ...listingCases,
      ...uploadCases,
      ...versionCases,
      ...versionReadCases,
      ...versionModelCases,
      ...blobCases,
      ...blobModelCases,
      ...replaceBlobCases,
      ...outboxCases,
      ...leaseCases,
      ...clusterCases,
      ...topologyCases,
      ...riskCases,
    ]) {
      if (except.has(what)) continue
      it(what, async () => {
        const { api, dispose } = await open()
        try {
          await run(api)
        } finally {
          await dispose()
        }
      })
    }
  })
}
