/** What the workers see of the store: making lost shards again, and writing a blob again by another code. */

import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardErrorCode, ShardOwner } from '../../proto/shard-transport.ts'

export interface RepairStore {
  /**
   * Makes the wanted shards of one stripe again, and puts them on their nodes. Writes those shards and nothing else; reads
   * as few as it can, each once, whatever is wanted of the stripe: a wanted shard that another node has is copied, the others
   * are computed. A source that fails is replaced by the next.
   *
   * A shard counts as stored only when what was computed has been checked against the sources, and was then read back whole
   * from its node. Resolves once every wanted shard is either `stored` or `failed`.
   *
   * Holds no more memory than a stripe, out of REPAIR_MEMORY_BYTES for all repairs of the process, for which it waits.
   *
   * @throws {RangeError} when the blob has no such stripe, or its code no such shard
   * @throws {StoreError} `overloaded` when no memory came free in time: come again
   * @throws the signal's reason
   */
  rebuildStripe(request: RebuildStripe, signal?: AbortSignal): Promise<StripeRepair>

  /**
   * Writes the bytes of a blob as another blob, with an id of its own, into the pool that new blobs of its storage class and
   * size go to, under the acknowledgement contract. Commits nothing: the caller makes metadata name it (`replaceBlob`) or, if
   * metadata declines, gives it to {@link discardBlob}. Where the record has relocations, its shards are owed a repair.
   *
   * By default the new blob is then read whole, and is the same as what was read of the old one, or it is an error.
   *
   * When it rejects, what it wrote is removed in the background.
   *
   * @throws {RangeError} for a blob of size 0, of which there are none
   * @throws {StoreError} `unreadable`: the old blob, or the new; `unwritable`, `overloaded`
   * @throws the signal's reason
   */
  recodeBlob(request: RecodeBlob, signal?: AbortSignal): Promise<BlobRecord>

  /**
   * Removes the shards of a blob that no record names and none will, from the nodes where its record has them; resolves
   * when that was tried, and never rejects. What is left, garbage collection finds. Not for a blob whose `replaceBlob` may
   * have taken effect.
   */
  discardBlob(blob: BlobRecord): Promise<void>
}

/** How fast repair may go. Many repairs share one. */
export interface ByteBudget {
  /** Resolves when so many more bytes may be read or written. Rejects with the signal's reason. */
  take(bytes: number, signal?: AbortSignal): Promise<void>
}

export interface RebuildStripe {
  readonly blob: Pick<BlobRecord, 'id' | 'size' | 'code' | 'group'>
  /** Whose the shards are, as they say themselves; the code and the size are taken from `blob`. */
  readonly owner: Omit<ShardOwner, 'code' | 'blobBytes'>
  readonly stripe: number
  /**
   * The nodes that have each shard, soundest first; shards that nobody has are absent. Nodes that are up, and of the zone of
   * one that wants, are asked first all the same.
   */
  readonly sources: ReadonlyMap<number, readonly string[]>
  /** The node each wanted shard is put on. What that node has of the shard is no source for it. */
  readonly wanted: ReadonlyMap<number, string>
  /**
   * Epoch of the map by which the nodes were chosen. When a node knows a newer one, the shards are still put where the newer
   * map has the same node in the shard's slot, and have `failed` elsewhere.
   */
  readonly epoch: number
  /** Asked before each read and write, and for reading back. */
  readonly budget?: ByteBudget
}

export interface StripeRepair {
  /** Shards that are durable on the nodes they were wanted on, and were read back from there. */
  readonly stored: ReadonlySet<number>
  /** The other wanted ones. StoreError `unreadable` where the sources did not suffice, else the node's ShardError. */
  readonly failed: ReadonlyMap<number, Error>
  /** Bytes of shards read to make the wanted ones; without reading back. */
  readonly bytesRead: number
  /** The part of it that came from a zone in which none of the wanted shards are put. */
  readonly bytesReadAcrossZones: number
  /** Bytes of shards that nodes took, whether they counted in the end or not. */
  readonly bytesWritten: number
  readonly bytesReadBack: number
  /** Sources that turned out not to be there, or not to be what was written. */
  readonly damagedSources: readonly DamagedSource[]
}

export interface DamagedSource {
  readonly shard: number
  readonly node: string
  readonly code: Extract<ShardErrorCode, 'not-found' | 'corrupt'>
}

/** Where a blob belongs. */
export interface RecodePlace {
  readonly bucket: string
  readonly key: string
  /** Of a part: the upload id. */
  readonly version: string
  /** 0: not a part. */
  readonly part: number
  /** Empty: not an annotation. */
  readonly annotation: string
}

export interface RecodeBlob {
  readonly blob: BlobRecord
  readonly place: RecodePlace
  readonly storageClass: string
  /** Asked before each stripe, for what is read, written, and read again. */
  readonly budget?: ByteBudget
  /** False: the new blob is not read again before the caller commits. */
  readonly verify?: boolean
}
