/** What a check of metadata against shards can find. */

import type { Place } from '../blob/identify.ts'

/** Ways in which metadata and shards disagree. */
export type Disagreement =
  /** A record's blob lacks shards, and can be read. */
  | 'degraded'
  /** A record's blob lacks so many shards that it cannot be read. */
  | 'unreadable'
  /** Shards of a blob that no record names and none will. */
  | 'orphan'
  /** Shards that nobody can say of whose they are. */
  | 'unowned'
  /** A shard says another bucket, key, version, part or annotation than the record, or than most shards of its blob. */
  | 'other-owner'
  /** A shard says another size of its blob than the record, or is not as long as the size makes it. */
  | 'other-size'
  /** A shard says another code than the record. */
  | 'other-code'
  /** The shards lie in another placement group than the record says. */
  | 'other-group'
  /** A blob of a placement group that no pool has. */
  | 'no-pool'
  /** A shard that readers do not look for where it is, and is nowhere else. */
  | 'misplaced'
  /** A shard that is where it belongs, and elsewhere too. */
  | 'duplicate'
  /** A shard that its blob does not have. */
  | 'surplus'
  /** A shard that its node knows to be unreadable. */
  | 'damaged'
  /** The records that should say whose a blob is cannot be read. */
  | 'unsaid'
  /** `--deep`: a shard that cannot be read, though its node did not know. */
  | 'corrupt'
  /** `--deep`: content that does not have the ETag or a checksum of its record. */
  | 'digest'

export interface ShardAt {
  readonly node: string
  readonly stripe: number
  readonly shard: number
}

/** One thing found, seen twice. */
export interface Finding {
  readonly kind: Disagreement
  /** One sentence for people. */
  readonly detail: string
  /** What it is of, as far as anything says. */
  readonly place?: Partial<Omit<Place, 'blob'>>
  readonly group?: number
  readonly blob?: string
  /** Of `degraded` and `unreadable`: how many more shards the worst stripe can lose; negative: it lacks so many. */
  readonly spare?: number
  /** The shards it is about; of `degraded` and `unreadable` those that are missing, with the node they belong on. */
  readonly shards?: readonly ShardAt[]
}

/** What was looked at. */
export interface Counts {
  buckets: number
  /** Versions that are objects. */
  objects: number
  deleteMarkers: number
  uploads: number
  annotations: number
  /** Blobs that records name. */
  recordBlobs: number
  recordBytes: number
  /** Blobs of which nodes have shards. */
  nodeBlobs: number
  shards: number
  shardBytes: number
  /** Blobs that no record names yet, or names no more for a short time. */
  young: number
  /** Blobs that wait in an outbox to be removed. */
  garbage: number
  /** Shards that may be on nodes that could not be looked at. */
  unseenShards: number
  /** `--deep`. */
  shardsRead: number
  objectsRead: number
}

export function noCounts(): Counts {
  return {
    buckets: 0,
    objects: 0,
    deleteMarkers: 0,
    uploads: 0,
    annotations: 0,
    recordBlobs: 0,
    recordBytes: 0,
    nodeBlobs: 0,
    shards: 0,
    shardBytes: 0,
    young: 0,
    garbage: 0,
    unseenShards: 0,
    shardsRead: 0,
    objectsRead: 0,
  }
}
