/**
 * The operations of S3 that are built, one row each: schema, policy action, handler. What is not here answers 501 by
 * name. Traits common to all are executed here, once.
 */
import { bucketRows } from './buckets/rows.ts'
import { requireBucketOwner } from './buckets/bucket-owner.ts'
import { clusterFailure } from './failures.ts'
import { listingRows } from './listings/rows.ts'
import { objectRows } from './objects/rows.ts'
import type { OperationRow } from './operation.ts'
import type { S3Services } from './services.ts'
import { refuseUnsupported } from './unsupported.ts'
import { uploadRows } from './uploads/rows.ts'

export function s3Table(services: S3Services): readonly OperationRow[] {
  const rows = [bucketRows, objectRows, listingRows, uploadRows].flatMap((family) => family(services))
  return rows.map((row) => withTraits(row, services))
}

/**
 * Around every handler: what is not built is refused, `x-amz-expected-bucket-owner` is checked, and failures of the
 * cluster become S3's.
 */
function withTraits(row: OperationRow, { store }: S3Services): OperationRow {
  return {
    ...row,
    async handle(input, context) {
      refuseUnsupported(input)
      try {
        const { Bucket, ExpectedBucketOwner } = input
        if (typeof Bucket === 'string' && typeof ExpectedBucketOwner === 'string') {
          await requireBucketOwner(store.metadata, Bucket, ExpectedBucketOwner, context.signal)
        }
        return await row.handle(input, context)
      } catch (error) {
        const failure = clusterFailure(error)
        if (failure === undefined) throw error
        if (failure.status >= 500) context.log.warn('the cluster failed a request', { error })
        throw failure
      }
    },
  }
}
