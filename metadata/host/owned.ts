import type { PartitionRange } from '../../core/keyspace/partitions.ts'
import type { MetadataError } from '../../proto/metadata-api.ts'
import type { Partition } from '../partition/partition.ts'
import { Purger } from '../partition/purge.ts'
import type { Room } from '../room.ts'
import { type MeterOptions, PartitionMeter } from '../admission/partition-meter.ts'
import type { EngineEstimate } from '../engine/engine.ts'
import { Gate } from './gate.ts'
import type { Served } from './partition-host.ts'

/** A partition that this process owns and serves. */
export class OwnedPartition implements Served {
  readonly partition: Partition
  purger: Purger
  /** Id of the engine that its records lie in. */
  readonly engine: string
  readonly room: Room | undefined
  readonly gate = new Gate()
  /** Measures what is asked of it, since its range is what it is. */
  meter: PartitionMeter
  /** What lies in it, as its engine said lately. */
  size: EngineEstimate = { entries: undefined, bytes: undefined }
  /** No key was found at which it could be cut by size. */
  indivisible = false
  readonly #meterOptions: MeterOptions
  /** Its range or owner is being changed by this process. */
  changing = false
  /** Ends the copy that is made of it on another engine; undefined: there is none being made. */
  copying: AbortController | undefined
  /** It is served no more: who waited for the gate looks again. */
  dropped = false
  #purged: Promise<void> | undefined

  constructor(partition: Partition, engine: string, room: Room | undefined, meter: MeterOptions) {
    this.partition = partition
    this.#meterOptions = meter
    this.meter = new PartitionMeter(partition.range.id, meter)
    this.purger = new Purger(partition)
    this.engine = engine
    this.room = room
  }

  get range(): PartitionRange {
    return this.partition.range
  }

  get ended(): Promise<MetadataError> {
    return this.partition.ended
  }

  /** Its range is another: what was measured says nothing of it. */
  resized(): void {
    this.meter = new PartitionMeter(this.partition.range.id, this.#meterOptions)
    this.size = { entries: undefined, bytes: undefined }
    this.indivisible = false
  }

  /** Ends the work of the purger, so that nothing is decided that no request asked for; {@link resumePurge} goes on with it. */
  async pausePurge(): Promise<void> {
    await this.purger.close()
  }

  resumePurge(): void {
    if (this.dropped) return
    this.purger = new Purger(this.partition)
    this.purger.wake()
  }

  /** Serves no more from this moment on. */
  drop(): void {
    if (this.dropped) return
    this.dropped = true
    this.partition.stop()
    this.#purged = this.purger.close()
  }

  /** Resolves when nothing of it goes on by itself. */
  async closed(): Promise<void> {
    this.drop()
    await this.#purged
  }
}
