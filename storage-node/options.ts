import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import type { ShardIndex } from './index/shard-index.ts'

export interface StorageNodeOptions {
  readonly nodeId: string
  readonly zone: string
  /** Written into new segments, so that a folder tells where it belongs; empty while it is not known. */
  readonly clusterId?: string
  /** Days within which the scrub reads every shard; absent or 0: it does not begin by itself. */
  readonly scrubDays?: number | undefined
  /** Most bytes a second that compaction copies; 0: no limit. Absent: COMPACTION_BYTES_PER_SECOND_DEFAULT. */
  readonly compactionBytesPerS?: number | undefined
  /** For tests: instead of the limits of the same meaning. */
  readonly segmentBytes?: number
  readonly checkpointBytes?: number
  readonly reserveBytes?: number
}

export interface StorageNodePorts {
  readonly disk: Disk
  /** Opened by the caller, closed by the node. Its lock is what keeps a second process off the folder. */
  readonly index: ShardIndex
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}
