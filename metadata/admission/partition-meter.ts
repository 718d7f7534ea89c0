import { RateWindow } from '../../core/admission/rate-window.ts'
import type { PartitionRates } from '../../core/admission/s3-rates.ts'
import type { PartitionRange } from '../../core/keyspace/partitions.ts'
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
  /** `--emulate-s3-limits`: refuse what is beyond these; undefined: nothing. */
  readonly heldTo: PartitionRates | undefined
}

/**
 * Measures what is asked of one partition, refused or not, and holds it to given rates where that is wanted. One for each
 * partition as it is: a range that was cut, or joined, or has come from another process, begins with a new one.
 */
export class PartitionMeter {
  readonly #options: MeterOptions
  readonly #load: PartitionLoad
  readonly #windows: Readonly<Record<LoadKind, RateWindow>> | undefined
  #refused = 0

  /** @param partition its id */
  constructor(partition: number, options: MeterOptions) {
    const { heldTo } = options
    this.#options = options
    this.#load = new PartitionLoad(options.clock.monotonicMs(), partition)
    this.#windows =
      heldTo === undefined
        ? undefined
        : { write: new RateWindow(heldTo.write), read: new RateWindow(heldTo.read) }
  }

  /** Requests that went beyond the rates it is held to. */
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
    throw slowDown('this partition is at the rate that it is held to by --emulate-s3-limits')
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
