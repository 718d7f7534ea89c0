import type { PartitionRange } from '../../core/keyspace/partitions.ts'
import type { MetadataError } from '../../proto/metadata-api.ts'
import type { Partition } from '../partition/partition.ts'
import { Purger } from '../partition/purge.ts'
import type { Room } from '../room.ts'
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
  /** Its range or owner is being changed by this process. */
  changing = false
  /** It is served no more: who waited for the gate looks again. */
  dropped = false
  #purged: Promise<void> | undefined

  constructor(partition: Partition, engine: string, room: Room | undefined) {
    this.partition = partition
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
