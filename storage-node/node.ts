/**
 * The storage service: shards in segment files, found by an index. See segment/format.ts for the bytes, segment/log.ts
 * for how they become durable, segment/recovery.ts for what happens at a start.
 */
import { COMPACTION_BYTES_PER_SECOND_DEFAULT } from '../core/limits.ts'
import { isSystemGroup } from '../core/placement/group.ts'
import {
  type DamagedList,
  type DeleteShards,
  type GetShard,
  type ListDamaged,
  type ListShards,
  type PutShard,
  type ScrubStatus,
  type ShardAddress,
  type ShardBlocks,
  type ShardDescription,
  ShardError,
  type ShardList,
  type ShardService,
  type StorageStatus,
} from '../proto/shard-transport.ts'
import { encodeShardOwner } from '../runtime/rpc/shard-owner-codec.ts'
import { Calls, messageOf } from './calls.ts'
import { BackgroundReads } from './background-reads.ts'
import { DamageReports } from './damage/reports.ts'
import { BlobGate } from './compaction/blob-gate.ts'
import { type CompactionTotals, Compactor } from './compaction/compactor.ts'
import { Writability } from './disk/writability.ts'
import { deleteBlob, deleteShards, type DeletePorts } from './deletes.ts'
import { DiskHealth } from './disk/health.ts'
import { lookForOpenSegment } from './disk/open-segment.ts'
import { watchDisk } from './disk/watched-disk.ts'
import { Checkpoints } from './index/checkpoints.ts'
import { LiveIndex } from './index/live-index.ts'
import { blobName, type LogRecord } from './index/plan.ts'
import type { IndexDamage, InventoryCount, ScrubProgress } from './index/shard-index.ts'
import type { IndexWriter } from './index/writer.ts'
import type { StorageNodeOptions, StorageNodePorts } from './options.ts'
import { describeShard, getShard, listDamaged, listShards, type ReadPorts } from './reads.ts'
import {
  checkAddress,
  checkBlob,
  checkDeleteShards,
  checkDescribe,
  checkEpoch,
  checkList,
  checkListDamaged,
  checkPut,
} from './requests.ts'
import { progressIn, Scrubber } from './scrub/scrubber.ts'
import { SegmentFiles } from './segment/files.ts'
import { MARKER_BYTES } from './segment/format.ts'
import { SegmentLog } from './segment/log.ts'
import { recover, type Recovered } from './segment/recovery.ts'

export type { StorageNodeOptions, StorageNodePorts } from './options.ts'

export class StorageNode implements ShardService {
  readonly #options: StorageNodeOptions
  readonly #ports: StorageNodePorts
  readonly #files: SegmentFiles
  readonly #health: DiskHealth
  readonly #writer: IndexWriter
  readonly #live: LiveIndex
  readonly #log: SegmentLog
  readonly #reads: ReadPorts
  readonly #background: BackgroundReads
  readonly #damage: DamageReports
  readonly #scrubber: Scrubber
  readonly #deletes: DeletePorts
  readonly #checkpoints: Checkpoints
  readonly #writability: Writability
  readonly #compactor: Compactor
  readonly #calls = new Calls((damage) => this.#condemn(damage))
  /** Puts of a blob that are not in the log yet. */
  readonly #pendingPuts = new Map<string, number>()
  #epoch = 0
  #condemned = false
  #closing: Promise<void> | undefined

  /**
   * Recovers what the folder holds and serves it.
   * @throws {SegmentFormatError} when the folder is another node's or of a newer program.
   */
  static async open(options: StorageNodeOptions, ports: StorageNodePorts): Promise<StorageNode> {
    const health = new DiskHealth()
    const files = new SegmentFiles(watchDisk(ports.disk, ports.clock, health))
    const { nodeId } = options
    try {
      const recovered = await recover({
        files,
        index: ports.index,
        log: ports.log,
        nodeId,
        nowMs: () => ports.clock.nowMs(),
        // Random, as nothing else differs for certain from what an earlier run told.
        inventoryVersion: 1 + Buffer.from(ports.random.bytes(6)).readUIntLE(0, 6),
      })
      const scrub = await progressIn(ports)
      const node = new StorageNode(options, ports, files, health, { ...recovered, scrub })
      await node.recheck()
      node.#scrubber.start()
      node.#compactor.start()
      return node
    } catch (error) {
      await files.close()
      await ports.index.close()
      throw error
    }
  }

  private constructor(
    options: StorageNodeOptions,
    ports: StorageNodePorts,
    files: SegmentFiles,
    health: DiskHealth,
    { writer, end, position, scrub }: Recovered & { readonly scrub: ScrubProgress | undefined },
  ) {
    this.#options = options
    this.#ports = ports
    this.#files = files
    this.#health = health
    this.#writer = writer
    this.#live = new LiveIndex({
      clock: ports.clock,
      apply: (records) => this.#calls.indexed(() => writer.apply(records)),
      get: (address) => ports.index.get(address),
      getMany: (addresses) => ports.index.getMany(addresses),
    })
    const { index } = ports
    this.#damage = new DamageReports({
      mark: (findings) =>
        this.#calls.indexed(() =>
          this.#live.settled(() => writer.markDamaged(findings, ports.clock.nowMs())),
        ),
      log: ports.log,
    })
    const foreground = { clock: ports.clock, load: () => this.#calls.inFlight }
    this.#background = new BackgroundReads(foreground)
    this.#reads = {
      files,
      index,
      live: this.#live,
      damage: writer.damage,
      background: this.#background,
      found: (finding) => {
        this.#damage.report(finding)
      },
    }
    const condemn = (damage: IndexDamage): Promise<void> => this.#condemn(damage)
    const shared = { ...ports, files, live: this.#live, writer, condemn }
    this.#scrubber = new Scrubber(
      { ...shared, ...foreground, damage: this.#damage },
      scrub,
      options.scrubDays ?? 0,
    )
    const { nodeId, clusterId = '', segmentBytes, checkpointBytes } = options
    this.#checkpoints = new Checkpoints({ ...shared, checkpointBytes }, position)
    this.#log = new SegmentLog(
      {
        files,
        header: (number) => ({
          number,
          marker: ports.random.bytes(MARKER_BYTES),
          createdMs: ports.clock.nowMs(),
          nodeId,
          clusterId,
        }),
        commit: (records) => this.#commit(records),
        settle: () => this.#checkpoints.require(),
        failed: (error) => {
          ports.log.error('writing failed: taking no more writes', { error: messageOf(error) })
        },
        ...(segmentBytes === undefined ? {} : { segmentBytes }),
      },
      end,
    )
    const gate = new BlobGate()
    this.#deletes = { log: this.#log, live: this.#live, index, pendingPuts: this.#pendingPuts, gate }
    const segments = this.#log
    const { reserveBytes } = options
    this.#writability = new Writability({ ...ports, segments, reserveBytes })
    this.#compactor = new Compactor({
      ...shared,
      segments,
      gate,
      checkpoints: this.#checkpoints,
      writability: this.#writability,
      bytesPerS: options.compactionBytesPerS ?? COMPACTION_BYTES_PER_SECOND_DEFAULT,
      damaged: (finding) => {
        this.#damage.report(finding)
      },
    })
  }

  /** Tells the node of an epoch of the cluster map; requests by an older one are refused from now on. */
  learnEpoch(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch)
  }

  /** The newest epoch it knows; 0: none. */
  get epoch(): number {
    return this.#epoch
  }

  /** Only opening it anew can make it take writes again. */
  get isStuck(): boolean {
    return this.#writability.stuck
  }

  /**
   * Looks at the disk again: whether the segment that is appended to is still there, whether the disk is full, and, once it no
   * longer is, whether it takes writes.
   */
  async recheck(): Promise<void> {
    const open = { files: this.#files, segments: this.#log, scrubber: this.#scrubber, log: this.#ports.log }
    await lookForOpenSegment(open)
    await this.#writability.look()
  }

  /**
   * @throws {ShardError} `corrupt` when the data does not match the checksums (nothing is written then), `stale-map`,
   * `read-only`, `invalid`, `unavailable`, `aborted`.
   */
  put(request: PutShard, signal?: AbortSignal): Promise<void> {
    return this.#calls.run(signal, async () => {
      checkPut(request)
      this.#checkEpoch(request.epoch, request.address.group)
      if (this.#writability.full) throw new ShardError('read-only', this.#writability.reason)
      const { address, data, checksums } = request
      const owner = encodeShardOwner(request.owner)
      this.#countPut(blobName(address), 1)
      try {
        await this.#log.append({ kind: 'put', address, owner, checksums, data }, signal)
      } finally {
        this.#countPut(blobName(address), -1)
      }
      this.#writability.spent(data.byteLength)
    })
  }

  /** @throws {ShardError} `not-found`, `corrupt` (also when the disk cannot read it), `stale-map`, `invalid` … */
  get(request: GetShard, signal?: AbortSignal): Promise<ShardBlocks> {
    const { address, epoch, background } = request
    const read = async (): Promise<ShardBlocks> => {
      checkAddress(address)
      checkEpoch(epoch)
      this.#checkEpoch(epoch, address.group)
      return await getShard(this.#reads, request, signal)
    }
    return this.#calls.run(signal, read, background)
  }

  deleteBlob(group: number, blob: string, signal?: AbortSignal): Promise<number> {
    return this.#calls.run(signal, async () => {
      checkBlob(group, blob)
      return await deleteBlob(this.#deletes, group, blob, signal)
    })
  }

  list(request: ListShards, signal?: AbortSignal): Promise<ShardList> {
    return this.#calls.run(signal, async () => {
      const limit = checkList(request)
      if (request.epoch !== undefined) this.learnEpoch(request.epoch)
      return await listShards(this.#reads, request, limit)
    })
  }

  describe(
    addresses: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<(ShardDescription | undefined)[]> {
    return this.#calls.run(signal, async () => {
      checkDescribe(addresses)
      return await Promise.all(addresses.map((address) => describeShard(this.#reads, address)))
    })
  }

  deleteShards(request: DeleteShards, signal?: AbortSignal): Promise<number> {
    return this.#calls.run(signal, async () => {
      checkDeleteShards(request)
      this.#checkEpoch(request.epoch)
      return await deleteShards(this.#deletes, request, signal)
    })
  }

  damaged(request: ListDamaged, signal?: AbortSignal): Promise<DamagedList> {
    return this.#calls.run(signal, async () => {
      const limit = checkListDamaged(request)
      await this.#damage.idle()
      return await listDamaged(this.#reads, { ...request, limit })
    })
  }

  /** The blobs of which a shard is here; see {@link Inventory}. */
  inventory(): { readonly version: number; readonly counts: readonly InventoryCount[] } {
    const { version } = this.#writer.inventory
    return { version, counts: this.#writer.inventory.counts() }
  }

  /** Runs a whole cycle of the scrub now, as fast as it goes. @throws the signal's reason, and as the index */
  scrubNow(signal?: AbortSignal): Promise<ScrubStatus> {
    return this.#calls.indexed(() => this.#scrubber.now(signal))
  }

  status(signal?: AbortSignal): Promise<StorageStatus> {
    return this.#calls.run(signal, async () => {
      const { nodeId: node, zone } = this.#options
      const space = await this.#ports.disk.space()
      const unwritable = this.#writability.reason
      const doubtful = this.#health.reason(this.#ports.clock.monotonicMs())
      // When the index takes nothing, what it counted last is the best there is.
      await this.#live.flush().catch(() => undefined)
      const segments = this.#writer.uses.size
      return {
        node,
        zone,
        writable: unwritable === '',
        reason: unwritable === '' ? doubtful : unwritable,
        ...this.#writer.totals(),
        ...space,
        segments,
        suspect: unwritable === '' && doubtful !== '',
        damagedShards: this.#writer.damage.count,
        scrub: this.#scrubber.status(),
      }
    })
  }

  /** What compaction did since the start. */
  compaction(): CompactionTotals {
    return this.#compactor.totals
  }

  /** Ends what is in flight, makes the index durable and lets go of the folder. New calls get `unavailable`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#background.close()
    await this.#calls.close()
    await this.#scrubber.close()
    await this.#compactor.close()
    await this.#damage.idle()
    await this.#log.idle()
    await this.#checkpoints.close()
    // A disk that fails may not even close its files well; the index, and the lock with it, is let go of all the same.
    await this.#files.close().catch((error: unknown) => {
      this.#ports.log.warn('segments were not closed well', { error: messageOf(error) })
    })
    await this.#ports.index.close()
  }

  /** What lies in a group of no pool is placed by no map, and may be read when no map is left. */
  #checkEpoch(epoch: number, group = 0): void {
    if (isSystemGroup(group)) return
    const known = this.#epoch
    if (epoch < known) throw new ShardError('stale-map', `epoch ${epoch}; the node knows ${known}`)
    this.#epoch = epoch
  }

  #countPut(blob: string, change: 1 | -1): void {
    const count = (this.#pendingPuts.get(blob) ?? 0) + change
    if (count === 0) this.#pendingPuts.delete(blob)
    else this.#pendingPuts.set(blob, count)
  }

  async #commit(records: readonly LogRecord[]): Promise<readonly number[]> {
    const removed = await this.#live.commit(records)
    this.#checkpoints.took(records)
    return removed
  }

  /** Where the index turns out to be damaged, the next start builds it anew. */
  async #condemn(damage: IndexDamage): Promise<void> {
    if (this.#condemned) return
    this.#condemned = true
    this.#checkpoints.stop()
    this.#ports.log.error('the index is damaged; the next start builds it anew', { error: damage.message })
    await this.#ports.index.condemn().catch(() => undefined)
  }
}
