import { RateWindow } from '../../core/admission/rate-window.ts'
import type { PartitionRange } from '../../core/keyspace/partitions.ts'
import { S3_READS_PER_SECOND, S3_WRITES_PER_SECOND } from '../../core/limits.ts'
import { type LoadKind, PartitionLoad, type LoadRates } from '../../core/partitioning/load.ts'
import { chooseSplitKey, type SplitChoice } from '../../core/partitioning/split-key.ts'
import type { PartitionSettings } from '../../core/partitioning/view.ts'
import type { Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import { OPERATION_CLASSES, positionOf } from './operations.ts'
import { slowDown } from './slow-down.ts'

export interface MeterOptions {
  readonly clock: Clock
  readonly settings: Pick<PartitionSettings, 'writesPerSecond' | 'readsPerSecond'>
  /** `--emulate-s3-limits`: refuse what is beyond S3's figures for a prefix. */
  readonly emulateS3Limits: boolean
}

/**
 * Measures what is asked of one partition, refused or not, and holds it to S3's figures where that is wanted. One for each
 * partition as it is: a range that was cut, or joined, or has come from another process, begins with a new one.
 */
export class PartitionMeter {
  readonly #options: MeterOptions
  readonly #load: PartitionLoad
  readonly #windows: Readonly<Record<LoadKind, RateWindow>> | undefined
  #refused = 0

  /** @param partition its id */
  constructor(partition: number, options: MeterOptions) {
    this.#options = options
    this.#load = new PartitionLoad(options.clock.monotonicMs(), partition)
    this.#windows = options.emulateS3Limits
      ? { write: new RateWindow(S3_WRITES_PER_SECOND), read: new RateWindow(S3_READS_PER_SECOND) }
      : undefined
  }

  /** Requests that went beyond S3's figures. */
  get refused(): number {
    return this.#refused
  }

  /** A request for the partition has come. @throws {MetadataError} SLOW_DOWN: nothing was done */
  take(operation: Request['operation']): void {
    if (operation.case === undefined) return
    const { sender, kind } = OPERATION_CLASSES[operation.case]
    if (sender !== 'client') return
    const position = positionOf(operation)
    if (position === undefined) return
    const nowMs = this.#options.clock.monotonicMs()
    this.#load.count(kind, position.bucket, position.key, nowMs)
    if (this.#windows === undefined || this.#windows[kind].admit(nowMs)) return
    this.#refused++
    throw slowDown('this partition is at the rate that S3 documents for a prefix, which it is set to keep')
  }

  rates(): LoadRates {
    return this.#load.rates(this.#options.clock.monotonicMs())
  }

  /** Where the load would be halved: some hundred comparisons, for once a second. */
  splitKey(range: Pick<PartitionRange, 'start' | 'end'>): SplitChoice {
    const { clock, settings } = this.#options
    const weights = { write: 1 / settings.writesPerSecond, read: 1 / settings.readsPerSecond }
    return chooseSplitKey(range, this.#load.histogram(clock.monotonicMs(), weights))
  }
}
