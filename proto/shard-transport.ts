/**
 * The data plane between the store and the storage nodes. A storage node implements {@link ShardService}; a
 * {@link ShardTransport} reaches many of them. The in-process and the network adapter pass one contract suite.
 */

/** Where one shard belongs. */
export interface ShardAddress {
  /** Placement group id. */
  readonly group: number
  /** Blob id: 128 bits, 32 lower-case hex digits. */
  readonly blob: string
  /** Stripe index in the blob, from 0. */
  readonly stripe: number
  /** Shard index in the stripe, 0 ≤ shard < k + m. */
  readonly shard: number
}

/** In the order of lists: below 0 when `a` comes first. */
export function compareAddresses(a: ShardAddress, b: ShardAddress): number {
  if (a.group !== b.group) return a.group - b.group
  if (a.blob !== b.blob) return a.blob < b.blob ? -1 : 1
  return a.stripe - b.stripe || a.shard - b.shard
}

/** Whose bytes these are. Written into every shard record, so that the shards alone can rebuild the metadata. */
export interface ShardOwner {
  readonly bucket: string
  readonly key: string
  /** Object version, 32 hex digits; for a part of a multipart upload, the upload id. */
  readonly version: string
  /** Part number of a multipart upload; 0 for a single PUT. */
  readonly part: number
  /** Name of the annotation that the blob is; absent for an object's own bytes. */
  readonly annotation?: string
  /** Name of the code the blob is cut by, such as `rs-4-2`. */
  readonly code: string
  /** Bytes of the whole blob. */
  readonly blobBytes: number
}

export interface PutShard {
  readonly address: ShardAddress
  readonly owner: ShardOwner
  /** Epoch of the cluster map the caller placed this by. */
  readonly epoch: number
  /** At most SHARD_BYTES_MAX bytes. Not kept, not changed, and not read after the returned promise settles. */
  readonly data: Uint8Array
  /** CRC32C of each SHARD_BLOCK_BYTES block of `data`, taken when it was encoded. */
  readonly checksums: Uint32Array
}

export interface GetShard {
  readonly address: ShardAddress
  readonly epoch: number
  /** Bytes wanted, `start` inclusive, `end` exclusive; both within the shard. Without it, the whole shard. */
  readonly range?: { readonly start: number; readonly end: number }
  /** No client waits for it: the node puts it behind its other requests, for some seconds at most. */
  readonly background?: boolean
}

/** The blocks that cover the wanted range, with the checksums they were written with. */
export interface ShardBlocks {
  /** Offset in the shard of `data[0]`; a multiple of SHARD_BLOCK_BYTES. */
  readonly offset: number
  readonly data: Uint8Array
  readonly checksums: Uint32Array
  /** Bytes of the whole shard. */
  readonly shardBytes: number
}

export interface ListShards {
  readonly group: number
  /** Exclusive; in order of (blob, stripe, shard). */
  readonly after?: ShardAddress
  readonly limit: number
  /**
   * Epoch of the cluster map that the caller goes by, which the node learns: what is put by an older one after the list was
   * made is refused, so a list that came with the newest epoch misses nothing. Without it, nothing is learnt.
   */
  readonly epoch?: number
}

export interface ListedShard {
  readonly address: ShardAddress
  readonly bytes: number
  /** It is known that it cannot be read here. */
  readonly damaged: boolean
}

/** What a shard's own record says of it. */
export interface ShardDescription {
  readonly owner: ShardOwner
  readonly bytes: number
}

export interface DeleteShards {
  readonly group: number
  readonly blob: string
  /** At most SHARD_LIST_MAX. */
  readonly shards: readonly { readonly stripe: number; readonly shard: number }[]
  readonly epoch: number
}

/** A shard that a node should have and cannot read: found by a read, a scrub or a start, and kept until it is put again or deleted. */
export interface DamagedShard {
  readonly address: ShardAddress
  /** For people: "block 3 does not match its checksum". */
  readonly reason: string
  /** Unix milliseconds. */
  readonly foundMs: number
}

export interface ListDamaged {
  /** Exclusive; in order of address. */
  readonly after?: ShardAddress
  readonly limit: number
}

export interface DamagedList {
  readonly shards: readonly DamagedShard[]
  readonly truncated: boolean
}

export interface ShardList {
  readonly shards: readonly ListedShard[]
  readonly truncated: boolean
}

export interface StorageStatus {
  readonly node: string
  readonly zone: string
  readonly writable: boolean
  /** Why it takes no writes; empty while it does. */
  readonly reason: string
  readonly shards: number
  /** Bytes of live shard payload. */
  readonly liveBytes: number
  /** Bytes of all segment files. */
  readonly usedBytes: number
  readonly freeBytes: number
  /** Of the file system. */
  readonly totalBytes: number
  readonly segments: number
  /** It takes writes, but its disk is slow or gave read errors, as the reason says. */
  readonly suspect: boolean
  readonly damagedShards: number
  readonly scrub: ScrubStatus
}

export interface ScrubStatus {
  /** From 1; 0: none was begun. */
  readonly cycle: number
  /** Unix milliseconds. */
  readonly cycleStartedMs: number
  readonly bytesDone: number
  readonly bytesTotal: number
  /** End of the last whole cycle; 0: none. */
  readonly lastCompletedMs: number
  /** Damage found over the life of the folder. */
  readonly found: number
}

/**
 * One storage node.
 * @throws {ShardError} with one of its codes, from every method.
 */
export interface ShardService {
  /** Resolves once the shard and what makes it findable are on stable storage. Putting the same shard again is allowed. */
  put(request: PutShard, signal?: AbortSignal): Promise<void>
  get(request: GetShard, signal?: AbortSignal): Promise<ShardBlocks>
  /** Removes every shard of a blob. Resolves to how many there were; 0 is no error. Durable once it resolves. */
  deleteBlob(group: number, blob: string, signal?: AbortSignal): Promise<number>
  list(request: ListShards, signal?: AbortSignal): Promise<ShardList>
  /**
   * What the records of these shards say, in their order; `undefined` for one that is not here or whose record is damaged.
   * At most SHARD_DESCRIBE_MAX.
   */
  describe(
    addresses: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<(ShardDescription | undefined)[]>
  /**
   * Removes single shards of a blob, when the blob's others stay. Resolves to how many there were. Durable once it resolves.
   */
  deleteShards(request: DeleteShards, signal?: AbortSignal): Promise<number>
  /** The shards that are known to be damaged here. */
  damaged(request: ListDamaged, signal?: AbortSignal): Promise<DamagedList>
  status(signal?: AbortSignal): Promise<StorageStatus>
}

export interface ShardTransport {
  /** The service of a node by its id. A node that cannot be reached shows as `unavailable` from the calls. */
  node(id: string): ShardService
}

export type ShardErrorCode =
  /** No such shard here. */
  | 'not-found'
  /** The bytes here do not match their checksums. */
  | 'corrupt'
  /** The node knows a newer cluster map than the caller. */
  | 'stale-map'
  /**
   * The disk is full, read-only or failing: takes no writes. Of a write that was on its way when that began, the outcome is
   * unknown.
   */
  | 'read-only'
  /** Not reached, hung up, or shutting down. For a write the outcome is unknown. */
  | 'unavailable'
  /** The caller lacks the cluster's secret. */
  | 'unauthenticated'
  /** The request breaks a rule of this interface. */
  | 'invalid'
  /** The caller gave up. */
  | 'aborted'

export class ShardError extends Error {
  override readonly name = 'ShardError'
  readonly code: ShardErrorCode

  constructor(code: ShardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
