import type { ShardAddress } from '../../proto/shard-transport.ts'

/** Where the record of a shard lies. */
export interface Location {
  readonly segment: number
  /** Of the record's header in the segment file. */
  readonly offset: number
  readonly ownerBytes: number
  readonly dataBytes: number
  readonly sequence: number
}

export interface IndexEntry {
  readonly address: ShardAddress
  readonly location: Location
}

/** What the index knows of a segment as a whole. */
export interface SegmentUse {
  readonly segment: number
  readonly liveShards: number
  /** Bytes of live payload. */
  readonly liveBytes: number
  /** End of the last record that is in the index. */
  readonly end: number
  /** Bytes of the records of live shards: what a copy of them takes. */
  readonly liveRecordBytes: number
  /** Bytes of tombstones of both kinds. */
  readonly tombstoneBytes: number
  /**
   * What its tombstones bury lies in segments up to this number, as far as they still exist; 0: it has no tombstones. While
   * there is such a segment the tombstones are needed: a rebuild would find there what they buried.
   */
  readonly buries: number
}

/** All of the log before this place is in the index, durably. */
export interface Checkpoint {
  readonly segment: number
  readonly offset: number
  /** The highest sequence number before it. */
  readonly sequence: number
}

export interface IndexState {
  readonly checkpoint: Checkpoint
  readonly uses: readonly SegmentUse[]
}

/** That the record of a shard which is in the index cannot be read. */
export interface Damage {
  readonly address: ShardAddress
  /** Of the record: a newer one of the same shard is not damaged by it. */
  readonly sequence: number
  /** Unix milliseconds. */
  readonly foundMs: number
  /** For people; at most SHARD_DAMAGE_REASON_CHARACTERS_MAX. */
  readonly reason: string
}

/** How many blobs of a group have their stripe 0's shard of this index here, undamaged. */
export interface InventoryCount {
  readonly group: number
  readonly shard: number
  readonly blobs: number
}

/** How far the scrub is. */
export interface ScrubProgress {
  /** From 1; 0: none was begun. */
  readonly cycle: number
  /** Unix milliseconds. */
  readonly startedMs: number
  /** The last segment that this cycle looks at: newer ones are the next one's. */
  readonly through: number
  /** Segments up to this one are done. */
  readonly done: number
  readonly bytesDone: number
  /** Unix milliseconds; 0: no cycle has ended. */
  readonly completedMs: number
  /** Shards found damaged or forgotten, over the life of the index. */
  readonly found: number
}

/** Changes that take effect together. */
export interface IndexChanges {
  readonly put: readonly IndexEntry[]
  readonly remove: readonly ShardAddress[]
  readonly uses: readonly SegmentUse[]
  readonly damage?: readonly Damage[]
  /** Those that are not damaged any more. */
  readonly mend?: readonly ShardAddress[]
  readonly inventory?: readonly InventoryCount[]
  readonly scrub?: ScrubProgress
}

/** The index is damaged: it must be built anew from the segments. */
export class IndexDamage extends Error {
  override readonly name = 'IndexDamage'
}

/**
 * Finds the record of a shard. Holds nothing that the segments do not, so that it may lose what was written since the
 * last checkpoint, or everything. Once a write of it has failed it may take none until it is opened anew. Its reads throw {@link IndexDamage} where it can tell that its bytes are wrong.
 */
export interface ShardIndex {
  /** What it held when it was opened, or undefined when it must be built anew: empty, of another format, marked. */
  state(): Promise<IndexState | undefined>
  get(address: ShardAddress): Promise<Location | undefined>
  /** One result for each address, in order. */
  getMany(addresses: readonly ShardAddress[]): Promise<(Location | undefined)[]>
  /** All shards of a blob, in order. */
  ofBlob(group: number, blob: string): Promise<IndexEntry[]>
  /** Shards of a group in order of (blob, stripe, shard), after `after`. */
  list(group: number, after: ShardAddress | undefined, limit: number): Promise<IndexEntry[]>
  /** Every entry, in order, as of when the first is asked for; for checks. */
  entries(): AsyncIterable<IndexEntry>
  /** What is known of the damage of these shards: one result for each address, in order. */
  damageOf(addresses: readonly ShardAddress[]): Promise<(Damage | undefined)[]>
  /** In order of address, after `after`. */
  listDamage(after: ShardAddress | undefined, limit: number): Promise<Damage[]>
  inventory(): Promise<InventoryCount[]>
  scrubProgress(): Promise<ScrubProgress | undefined>
  /** Atomic, seen by reads once it resolves, durable at the next checkpoint. */
  write(changes: IndexChanges): Promise<void>
  /** Makes all that was written before the call durable, then the checkpoint. */
  checkpoint(checkpoint: Checkpoint): Promise<void>
  /** Drops the use of a segment that was removed. */
  forgetSegment(segment: number): Promise<void>
  /** Makes the next start build it anew. */
  condemn(): Promise<void>
  clear(): Promise<void>
  close(): Promise<void>
}
