/**
 * The operations of S3 that are built, one row each: schema, policy action, handler. What is not here answers 501 by
 * name. Traits common to all are executed here, once.
 */
import { aclRows } from './acl/rows.ts'
import { annotationRows } from './annotations/rows.ts'
import { bucketTaggingRows } from './bucket-tagging/rows.ts'
import { bucketRows } from './buckets/rows.ts'
import { corsRows } from './cors/rows.ts'
import { clusterFailure, loudnessOf } from './failures.ts'
import { listingRows } from './listings/rows.ts'
import { objectRows } from './objects/rows.ts'
import type { OperationRow } from './operation.ts'
import { ownershipRows } from './ownership/rows.ts'
import type { S3Services } from './services.ts'
import { unconfiguredRows } from './unconfigured/rows.ts'
import { refuseUnsupported } from './unsupported.ts'
import { taggingRows } from './tagging/rows.ts'
import { uploadRows } from './uploads/rows.ts'
import { versioningRows } from './versioning/rows.ts'

export function s3Table(services: S3Services): readonly OperationRow[] {
  const families = [
    bucketRows,
    aclRows,
    bucketTaggingRows,
    corsRows,
    ownershipRows,
    versioningRows,
    unconfiguredRows,
    objectRows,
    taggingRows,
    annotationRows,
    listingRows,
    uploadRows,
  ]
  const rows = families.flatMap((family) => family(services))
  return rows.map((row) => withTraits(row))
}

/** Around every handler: what is not built is refused, and failures of the cluster become S3's. */
function withTraits(row: OperationRow): OperationRow {
  return {
    ...row,
    async handle(input, context) {
      refuseUnsupported(input)
      try {
        return await row.handle(input, context)
      } catch (error) {
        const failure = clusterFailure(error)
        if (failure === undefined) throw error
        const loudness = loudnessOf(failure)
        if (loudness !== undefined) context.log[loudness]('the cluster failed a request', { error })
        throw failure
      }
    },
  }
}
