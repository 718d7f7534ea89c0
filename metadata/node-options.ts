import type { PartitionRates } from '../core/admission/s3-rates.ts'
import type { PartitionSettings } from '../core/partitioning/view.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { NextTurn } from '../runtime/ports/next-turn.ts'
import type { Random } from '../runtime/ports/random.ts'
import type { ClusterPlan } from './cluster/bootstrap.ts'
import type { Engine } from './engine/engine.ts'
import type { ConnectPeer } from './host/peers.ts'
import type { Journal } from './journal/journal.ts'
import type { Room } from './room.ts'

/** An engine, and what it has room for. */
export interface NodeEngine {
  /** For people: `level`, `postgres`; empty: not known. */
  readonly kind: string
  readonly engine: Engine
  /** Undefined where there is no disk to fill. */
  readonly room: Room | undefined
}

export interface NodeOptions {
  /** The coordination engine first. */
  readonly engines: readonly NodeEngine[]
  /** The name of this process among the metadata processes. */
  readonly id: string
  /** `host:port` of its gRPC; empty: only within its process. */
  readonly address: string
  /** No other process can have the engines. */
  readonly exclusive: boolean
  readonly clusterId: string
  readonly bootstrap: ClusterPlan
  /** There is such a cluster already: one that has to be begun is not it. */
  readonly existing: boolean
  readonly nodeGraceMs: number | undefined
  /** When partitions are split, merged and moved. */
  readonly settings: PartitionSettings
  /** What each partition admits, at most; undefined: whatever it can. */
  readonly heldTo: PartitionRates | undefined
  readonly connectPeer: ConnectPeer
  /** Where the engine's batches are copied to, if they are: storage nodes, at the addresses that the root knows them by. */
  readonly journal:
    | {
        readonly journal: Journal
        readonly shards: (addressOf: (node: string) => string | undefined) => ShardTransport
      }
    | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly nextTurn: NextTurn
}
