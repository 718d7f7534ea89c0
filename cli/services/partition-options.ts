import { s3Rates, splitTriggers, type PartitionRates } from '../../core/admission/s3-rates.ts'
import { PARTITION_SETTLE_MS_DEFAULT, SPLIT_SUSTAINED_SECONDS_DEFAULT } from '../../core/limits.ts'
import type { PartitionSettings } from '../../core/partitioning/view.ts'
import type { MetadataConfig } from '../../runtime/config/services.ts'

/** After a change of its range a partition must have been measured for a little longer than it takes to be split again. */
const SETTLE_MORE_MS = PARTITION_SETTLE_MS_DEFAULT - SPLIT_SUSTAINED_SECONDS_DEFAULT * 1000

export interface PartitionOptions {
  readonly partitions: Partial<PartitionSettings>
  /** Left out: partitions are held to nothing. */
  readonly heldTo?: PartitionRates
}

/** What partitions are held to, and when they split and merge. Triggers that are not given go along with the scale of the limits. */
export function partitionOptions({
  emulateS3Limits,
  splitWritesPerSecond,
  splitReadsPerSecond,
  splitAfterSeconds,
  mergeAfterSeconds,
}: Pick<
  MetadataConfig,
  | 'emulateS3Limits'
  | 'splitWritesPerSecond'
  | 'splitReadsPerSecond'
  | 'splitAfterSeconds'
  | 'mergeAfterSeconds'
>): PartitionOptions {
  const scale = typeof emulateS3Limits === 'number' ? emulateS3Limits : 1
  const triggers = splitTriggers(scale)
  return {
    partitions: {
      writesPerSecond: splitWritesPerSecond ?? triggers.writesPerSecond,
      readsPerSecond: splitReadsPerSecond ?? triggers.readsPerSecond,
      sustainedSeconds: splitAfterSeconds,
      settleMs: splitAfterSeconds * 1000 + SETTLE_MORE_MS,
      mergeColdMs: mergeAfterSeconds * 1000,
    },
    ...(emulateS3Limits !== false && { heldTo: s3Rates(scale) }),
  }
}
