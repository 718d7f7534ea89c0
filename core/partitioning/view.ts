import type { Position } from '../keyspace/partitions.ts'
import {
  MERGE_COLD_MS_DEFAULT,
  PARTITION_REST_MS_DEFAULT,
  PARTITION_SETTLE_MS_DEFAULT,
  SPLIT_BYTES_DEFAULT,
  SPLIT_ENTRIES_DEFAULT,
  SPLIT_READS_PER_SECOND_DEFAULT,
  SPLIT_SUSTAINED_SECONDS_DEFAULT,
  SPLIT_WRITES_PER_SECOND_DEFAULT,
} from '../limits.ts'
import type { LoadRates } from './load.ts'
import type { SplitChoice } from './split-key.ts'

/** What the policy of partitioning is given, and what it proposes. Times are monotonic milliseconds of whoever decides. */

/** One partition of the map. All of them, in order, cover everything. */
export interface PartitionView {
  readonly id: number
  /** Inclusive. */
  readonly start: Position
  /** Exclusive; undefined: to the end of everything. */
  readonly end: Position | undefined
  /** Id of the engine that keeps its records. */
  readonly engine: string
  /** Id of the node that serves it; undefined: none yet. */
  readonly owner: string | undefined
}

export interface NodeView {
  readonly id: string
  /** `leaving`: it still serves, and gives its partitions away. */
  readonly state: 'up' | 'leaving' | 'down'
  /** Ids of the engines that it reaches. */
  readonly engines: ReadonlySet<string>
}

/** What the owner of a partition says of it. */
export interface PartitionReport {
  /** Since it owns the partition in its present range, and no longer. */
  readonly rates: LoadRates
  /** Where the load would be halved. */
  readonly split: SplitChoice
  /** What lies in the engine; undefined where that cannot tell. */
  readonly entries: number | undefined
  readonly bytes: number | undefined
  /** Found no key between its records at which it could be cut by size. */
  readonly indivisible?: boolean
}

export interface PartitionSettings {
  /** Triggers of a split. */
  readonly writesPerSecond: number
  readonly readsPerSecond: number
  readonly entries: number
  readonly bytes: number
  /** For how long a rate must be reached (in SPLIT_SUSTAINED_PERCENT of the seconds); at most LOAD_SECONDS. */
  readonly sustainedSeconds: number
  /** For how long two neighbours must be cold, and unchanged, before they merge. */
  readonly mergeColdMs: number
  /** For how long a partition whose range has changed is not split again; longer than `sustainedSeconds`. */
  readonly settleMs: number
  /** For how long a partition that was moved is not moved again for balance; longer than `settleMs`. */
  readonly restMs: number
}

export const PARTITION_SETTINGS_DEFAULT: PartitionSettings = {
  writesPerSecond: SPLIT_WRITES_PER_SECOND_DEFAULT,
  readsPerSecond: SPLIT_READS_PER_SECOND_DEFAULT,
  entries: SPLIT_ENTRIES_DEFAULT,
  bytes: SPLIT_BYTES_DEFAULT,
  sustainedSeconds: SPLIT_SUSTAINED_SECONDS_DEFAULT,
  mergeColdMs: MERGE_COLD_MS_DEFAULT,
  settleMs: PARTITION_SETTLE_MS_DEFAULT,
  restMs: PARTITION_REST_MS_DEFAULT,
}

export type Proposal =
  /** Nobody serves the partition: `to` does from now on. */
  | { readonly kind: 'assign'; readonly partition: number; readonly to: string }
  /** `at` is undefined where the owner must find it among its records, by {@link chooseSplitKey} too. */
  | {
      readonly kind: 'split'
      readonly partition: number
      readonly at: Position | undefined
      readonly trigger: 'writes' | 'reads' | 'size'
    }
  /** Neighbours on one owner and engine; the left one stays. */
  | { readonly kind: 'merge'; readonly left: number; readonly right: number }
  | {
      readonly kind: 'move'
      readonly partition: number
      readonly to: string
      readonly reason: 'leaving' | 'merge' | 'balance'
    }

/** What should be done and cannot be, for people. */
export interface Obstacle {
  readonly partition: number
  /** `single-key`: hot, by one key. `no-node`: no node that is up reaches its engine. `indivisible`: large, and in one piece. */
  readonly reason: 'single-key' | 'too-few-samples' | 'no-node' | 'indivisible' | 'too-many-partitions'
}
