import { ROOT_RANGE } from '../../core/keyspace/partitions.ts'
import type { PartitionRange } from '../../core/keyspace/partitions.ts'
import type { MetadataError } from '../../proto/metadata-api.ts'
import type { BucketGrants } from '../buckets/grants.ts'
import type { BucketContents } from '../buckets/buckets.ts'
import type { BackupParts } from '../backup/requests.ts'
import type { Loads } from '../balance/loads.ts'
import type { PartitionController } from '../balance/partition-controller.ts'
import { OwnBuckets } from '../buckets/own-buckets.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { RiskLedger } from '../cluster/risk-ledger.ts'
import type { WorkLeases } from '../leases/leases.ts'
import type { Partition } from '../partition/partition.ts'
import type { Room } from '../room.ts'
import { Gate } from './gate.ts'
import type { Served } from './partition-host.ts'

export interface RootParts {
  readonly partition: Partition
  readonly engine: string
  readonly cluster: Cluster
  readonly leases: WorkLeases
  readonly ledger: RiskLedger
  readonly grants: BucketGrants
  readonly contents: BucketContents
  readonly loads: Loads
  readonly backup: BackupParts
  readonly balance: PartitionController
  readonly room: Room | undefined
  /** Ends what goes on by itself: the controllers. */
  readonly close: () => Promise<void>
}

/** What is the cluster's, in the process that owns the root. */
export class Root implements Served {
  readonly parts: RootParts
  readonly buckets: OwnBuckets
  readonly gate = new Gate()
  changing = false
  dropped = false
  #closing: Promise<void> | undefined

  constructor(parts: RootParts) {
    this.parts = parts
    this.buckets = new OwnBuckets(parts.partition)
  }

  get range(): PartitionRange {
    return ROOT_RANGE
  }

  get engine(): string {
    return this.parts.engine
  }

  get ended(): Promise<MetadataError> {
    return this.parts.partition.ended
  }

  drop(): void {
    if (this.dropped) return
    this.dropped = true
    this.parts.partition.stop()
    this.#closing = this.parts.close()
  }

  /** Resolves when what goes on by itself has ended. */
  async closed(): Promise<void> {
    this.drop()
    await this.#closing
  }
}
