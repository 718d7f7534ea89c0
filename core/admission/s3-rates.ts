import {
  S3_READS_PER_SECOND,
  S3_WRITES_PER_SECOND,
  SPLIT_READS_PER_SECOND_DEFAULT,
  SPLIT_WRITES_PER_SECOND_DEFAULT,
} from '../limits.ts'
import type { LoadKind } from '../partitioning/load.ts'
import type { PartitionSettings } from '../partitioning/view.ts'

/** Requests a second that one partition admits. */
export type PartitionRates = Readonly<Record<LoadKind, number>>

/**
 * What S3 documents for a prefix, times a scale: 1 is S3 exactly, a tenth is for machines that cannot reach it. Whole numbers, at
 * least 1.
 */
export function s3Rates(scale: number): PartitionRates {
  return { write: scaled(S3_WRITES_PER_SECOND, scale), read: scaled(S3_READS_PER_SECOND, scale) }
}

/** The default triggers of a split by load, at the same scale: what is held to a tenth splits from a tenth on. */
export function splitTriggers(scale: number): Pick<PartitionSettings, 'writesPerSecond' | 'readsPerSecond'> {
  return {
    writesPerSecond: scaled(SPLIT_WRITES_PER_SECOND_DEFAULT, scale),
    readsPerSecond: scaled(SPLIT_READS_PER_SECOND_DEFAULT, scale),
  }
}

function scaled(perSecond: number, scale: number): number {
  return Math.max(1, Math.round(perSecond * scale))
}
