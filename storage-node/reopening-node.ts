/**
 * A storage node that comes back by itself when its index no longer takes writes.
 *
 * The index takes nothing any more once a write of it has failed, until it is opened anew: LevelDB refuses, or its own log may be
 * torn there, and what it took behind that would be lost. So when all but the index would
 * take writes, the node is closed and opened again in the same process, with the whole recovery of a start. Opening the index
 * alone would be quicker, but what it holds then is any of what it was told since its last checkpoint, so that accounts,
 * inventory and damage in memory would have to be read anew too, and what is under way (compaction, scrub, deletes) would
 * meet another index than it began with. That is a start, and the start is what power cuts at every operation have proved.
 *
 * What was acknowledged is in the segments, durably; what was refused may be there or not, as after a crash. Until the disk
 * takes writes the old node goes on serving reads; then it ends what is in flight, and until the new one is open reads
 * hear `unavailable`, and writes `read-only` with the reason. Heartbeats go on with what was known last.
 */
import {
  type DamagedList,
  type DeleteShards,
  type GetShard,
  type ListDamaged,
  type ListShards,
  type PutShard,
  type ShardAddress,
  type ShardBlocks,
  type ShardDescription,
  ShardError,
  type ShardList,
  type ShardService,
  type StorageStatus,
} from '../proto/shard-transport.ts'
import { isDiskFull } from '../runtime/disk/errno.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Disk } from '../runtime/ports/disk.ts'
import type { Log } from '../runtime/ports/log.ts'
import { messageOf } from './calls.ts'
import { Attempts } from './disk/attempts.ts'
import { takesWrites } from './disk/probe.ts'
import type { Member, NodeInventory } from './membership.ts'
import type { StorageNode } from './node.ts'

export interface ReopeningNodePorts {
  readonly nodeId: string
  readonly zone: string
  /** The folder of the node. */
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** Opens the index and the node; one call at a time, after the node before was closed. @throws as StorageNode.open */
  open(): Promise<StorageNode>
}

export class ReopeningNode implements ShardService, Member {
  readonly #ports: ReopeningNodePorts
  readonly #attempts: Attempts
  /** Undefined while none is open. */
  #node: StorageNode | undefined
  /** Why none is. */
  #reason = ''
  #epoch = 0
  #lastStatus: StorageStatus
  #lastInventory: NodeInventory | undefined
  #reopening: Promise<void> | undefined
  #isClosed = false

  /**
   * Opens the node; where the disk is too full for that, it is opened once there is room.
   * @throws as `open`, for any other reason
   */
  static async open(ports: ReopeningNodePorts): Promise<ReopeningNode> {
    const node = new ReopeningNode(ports)
    try {
      node.#node = await ports.open()
    } catch (error) {
      if (!isDiskFull(error)) throw error
      node.#failed(error)
    }
    return node
  }

  private constructor(ports: ReopeningNodePorts) {
    this.#ports = ports
    this.#attempts = new Attempts(ports.clock)
    this.#lastStatus = unknownStatus(ports)
  }

  learnEpoch(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch)
    this.#node?.learnEpoch(epoch)
  }

  /** Looks at the disk again. Where only opening the node anew helps, that begins, and is not waited for. */
  async recheck(): Promise<void> {
    await this.#node?.recheck()
    if (this.#isClosed || this.#reopening !== undefined) return
    if (this.#node !== undefined && !this.#node.isStuck) return
    if (!this.#attempts.isDue()) return
    this.#reopening = this.#reopen().finally(() => {
      this.#reopening = undefined
    })
  }

  /** Resolves when the node is not being opened. */
  async idle(): Promise<void> {
    await this.#reopening
  }

  put(request: PutShard, signal?: AbortSignal): Promise<void> {
    return this.#write((node) => node.put(request, signal))
  }

  get(request: GetShard, signal?: AbortSignal): Promise<ShardBlocks> {
    return this.#read((node) => node.get(request, signal))
  }

  deleteBlob(group: number, blob: string, signal?: AbortSignal): Promise<number> {
    return this.#write((node) => node.deleteBlob(group, blob, signal))
  }

  list(request: ListShards, signal?: AbortSignal): Promise<ShardList> {
    return this.#read((node) => node.list(request, signal))
  }

  describe(
    addresses: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<(ShardDescription | undefined)[]> {
    return this.#read((node) => node.describe(addresses, signal))
  }

  deleteShards(request: DeleteShards, signal?: AbortSignal): Promise<number> {
    return this.#write((node) => node.deleteShards(request, signal))
  }

  damaged(request: ListDamaged, signal?: AbortSignal): Promise<DamagedList> {
    return this.#read((node) => node.damaged(request, signal))
  }

  /** While none is open, what was known last, except for room and condition. */
  async status(signal?: AbortSignal): Promise<StorageStatus> {
    if (this.#node !== undefined) return await this.#node.status(signal)
    if (this.#isClosed) throw closed()
    const space = await this.#ports.disk.space().catch(() => undefined)
    return { ...this.#lastStatus, ...space, writable: false, suspect: false, reason: this.#reason }
  }

  inventory(): NodeInventory | undefined {
    return this.#node?.inventory() ?? this.#lastInventory
  }

  /** Ends what is in flight and lets go of the folder; a node that is being opened is waited for. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#reopening
    const node = this.#node
    await node?.close()
  }

  async #reopen(): Promise<void> {
    const { log, clock, disk } = this.#ports
    // As long as it does not, the old one serves reads, and a new one would not get open.
    if (!(await takesWrites(disk))) return
    try {
      if (!(await this.#retire()) || this.#isClosed) return
      const startedMs = clock.monotonicMs()
      const node = await this.#ports.open()
      node.learnEpoch(this.#epoch)
      this.#node = node
      log.info('the storage node was opened again', { ms: Math.round(clock.monotonicMs() - startedMs) })
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Closes the node, and keeps what it knew; resolves to whether none is open. */
  async #retire(): Promise<boolean> {
    const node = this.#node
    if (node === undefined) return true
    const { log } = this.#ports
    const status = await node.status()
    // It has come back by an attempt of its own.
    if (!node.isStuck || this.#isClosed) return false
    log.warn('the index takes no writes: opening the storage node again', { reason: status.reason })
    this.#lastStatus = status
    this.#lastInventory = node.inventory()
    this.#reason = `${status.reason}; the node is being opened again`
    this.#node = undefined
    await node.close()
    this.#epoch = Math.max(this.#epoch, node.epoch)
    return true
  }

  #failed(error: unknown): void {
    this.#reason = `the storage node does not open: ${messageOf(error)}`
    this.#ports.log.error('the storage node does not open; trying again', { error: messageOf(error) })
  }

  async #read<T>(action: (node: StorageNode) => Promise<T>): Promise<T> {
    if (this.#node !== undefined) return await action(this.#node)
    throw this.#isClosed ? closed() : new ShardError('unavailable', this.#reason)
  }

  async #write<T>(action: (node: StorageNode) => Promise<T>): Promise<T> {
    if (this.#node !== undefined) return await action(this.#node)
    throw this.#isClosed ? closed() : new ShardError('read-only', this.#reason)
  }
}

function closed(): ShardError {
  return new ShardError('unavailable', 'shutting down')
}

/** Of a node that was not open yet. */
function unknownStatus({ nodeId, zone }: ReopeningNodePorts): StorageStatus {
  return {
    node: nodeId,
    zone,
    writable: false,
    reason: '',
    shards: 0,
    liveBytes: 0,
    usedBytes: 0,
    freeBytes: 0,
    totalBytes: 0,
    segments: 0,
    suspect: false,
    damagedShards: 0,
    scrub: { cycle: 0, cycleStartedMs: 0, bytesDone: 0, bytesTotal: 0, lastCompletedMs: 0, found: 0 },
  }
}
