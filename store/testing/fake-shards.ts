/** Storage nodes in memory, with faults to order. They keep the contract of proto/shard-transport.ts and check the caller's side. */

import { ERASURE_SHARDS_MAX, SHARD_BLOCK_BYTES } from '../../core/limits.ts'
import {
  compareAddresses,
  ShardError,
  type DamagedList,
  type DeleteShards,
  type GetShard,
  type ListDamaged,
  type ListShards,
  type PutShard,
  type ShardAddress,
  type ShardBlocks,
  type ShardDescription,
  type ShardErrorCode,
  type ShardList,
  type ShardOwner,
  type ShardService,
  type ShardTransport,
  type StorageStatus,
} from '../../proto/shard-transport.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

export type ShardOperation = 'put' | 'get' | 'deleteBlob' | 'list' | 'describe' | 'damaged'

/** What befalls one call. */
export type Fault =
  /** Refused with that code, nothing done. */
  | { readonly kind: 'fail'; readonly code: ShardErrorCode }
  /** Done, but the answer is lost. */
  | { readonly kind: 'fail-after'; readonly code: ShardErrorCode }
  /** Done after that time. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** No answer until the caller gives up; nothing done. */
  | { readonly kind: 'hang' }
  /** The answer to a read has a bit flipped; for a write, the bytes arrive damaged and are refused. */
  | { readonly kind: 'corrupt' }

export type FaultPlan = (operation: ShardOperation, address: Pick<ShardAddress, 'blob'>) => Fault | undefined

export const DOWN: Fault = { kind: 'fail', code: 'unavailable' }

interface KeptShard {
  readonly bytes: number
  readonly owner: ShardOwner
  /** Absent when the transport only counts. */
  readonly data?: Uint8Array
  readonly checksums: Uint32Array
}

export class FakeNode implements ShardService {
  readonly id: string
  readonly shards = new Map<string, KeptShard>()
  readonly calls: Record<ShardOperation, number> = {
    put: 0,
    get: 0,
    deleteBlob: 0,
    list: 0,
    describe: 0,
    damaged: 0,
  }
  /** Bytes read by callers. */
  bytesRead = 0
  /** The newest map it knows of; callers with an older one are told so. */
  epoch = 0
  fault: FaultPlan = () => undefined
  readonly #damaged = new Set<string>()
  readonly #world: FakeShards

  constructor(id: string, world: FakeShards) {
    this.id = id
    this.#world = world
  }

  async put(request: PutShard, signal?: AbortSignal): Promise<void> {
    const { address, data, checksums, epoch } = request
    this.#world.enter(data.byteLength)
    try {
      const fault = this.#begin('put', address, epoch)
      if (fault?.kind === 'corrupt') throw new ShardError('corrupt', 'the bytes do not match their checksums')
      await this.#suffer(fault, signal)
      // Only now are the bytes read, as a socket would: a caller who reused the memory meanwhile is caught here.
      if (firstBadBlock(data, checksums) >= 0) throw new ShardError('corrupt', 'the bytes changed under way')
      const kept = { bytes: data.byteLength, owner: request.owner, checksums: checksums.slice() }
      this.#damaged.delete(keyOf(address))
      this.shards.set(keyOf(address), this.#world.countOnly ? kept : { ...kept, data: data.slice() })
      if (fault?.kind === 'fail-after') throw new ShardError(fault.code, 'the answer was lost')
    } finally {
      this.#world.leave(data.byteLength)
    }
  }

  async get(request: GetShard, signal?: AbortSignal): Promise<ShardBlocks> {
    const fault = this.#begin('get', request.address, request.epoch)
    await this.#suffer(fault, signal)
    if (this.#damaged.has(keyOf(request.address))) throw new ShardError('corrupt', 'damaged as ordered')
    const kept = this.shards.get(keyOf(request.address))
    if (kept?.data === undefined) throw new ShardError('not-found', `no such shard on ${this.id}`)
    const { start, end } = request.range ?? { start: 0, end: kept.bytes }
    const valid = start >= 0 && start < end && end <= kept.bytes
    if (!valid) throw new ShardError('invalid', `no range ${start}-${end}`)
    const firstBlock = Math.floor(start / SHARD_BLOCK_BYTES)
    const endBlock = Math.ceil(end / SHARD_BLOCK_BYTES)
    const data = kept.data.slice(firstBlock * SHARD_BLOCK_BYTES, endBlock * SHARD_BLOCK_BYTES)
    if (fault?.kind === 'corrupt') data[0] = (data[0] ?? 0) ^ 1
    this.bytesRead += data.byteLength
    return {
      offset: firstBlock * SHARD_BLOCK_BYTES,
      data,
      checksums: kept.checksums.slice(firstBlock, endBlock),
      shardBytes: kept.bytes,
    }
  }

  async deleteBlob(_group: number, blob: string, signal?: AbortSignal): Promise<number> {
    await this.#suffer(this.#begin('deleteBlob', { blob }, Number.POSITIVE_INFINITY), signal)
    const keys = [...this.shards.keys()].filter((key) => key.split('/')[1] === blob)
    for (const key of keys) this.#remove(key)
    return keys.length
  }

  async deleteShards({ group, blob, shards, epoch }: DeleteShards, signal?: AbortSignal): Promise<number> {
    await this.#suffer(this.#begin('deleteBlob', { blob }, epoch), signal)
    return shards.filter(({ stripe, shard }) => this.#remove(keyOf({ group, blob, stripe, shard }))).length
  }

  #remove(key: string): boolean {
    this.#damaged.delete(key)
    return this.shards.delete(key)
  }

  async list({ group, after, limit, epoch }: ListShards, signal?: AbortSignal): Promise<ShardList> {
    await this.#suffer(this.#begin('list', { blob: '' }, Number.POSITIVE_INFINITY), signal)
    this.epoch = Math.max(this.epoch, epoch ?? 0)
    if (after !== undefined && after.shard >= ERASURE_SHARDS_MAX) {
      throw new ShardError('invalid', `no shard ${after.shard}`)
    }
    const shards = [...this.shards]
      .map(([key, { bytes }]) => ({ address: addressOf(key), bytes, damaged: this.#damaged.has(key) }))
      .filter(({ address }) => address.group === group)
      .filter(({ address }) => after === undefined || compareAddresses(after, address) < 0)
      .sort((a, b) => compareAddresses(a.address, b.address))
    return { shards: shards.slice(0, limit), truncated: shards.length > limit }
  }

  async describe(
    addresses: readonly ShardAddress[],
    signal?: AbortSignal,
  ): Promise<(ShardDescription | undefined)[]> {
    await this.#suffer(this.#begin('describe', { blob: '' }, Number.POSITIVE_INFINITY), signal)
    return addresses.map((address) => {
      const kept = this.shards.get(keyOf(address))
      return kept === undefined ? undefined : { owner: kept.owner, bytes: kept.bytes }
    })
  }

  async damaged({ after, limit }: ListDamaged, signal?: AbortSignal): Promise<DamagedList> {
    await this.#suffer(this.#begin('damaged', { blob: '' }, Number.POSITIVE_INFINITY), signal)
    const shards = [...this.#damaged]
      .map((key) => ({ address: addressOf(key), reason: 'as ordered', foundMs: 0 }))
      .filter(({ address }) => after === undefined || compareAddresses(after, address) < 0)
      .sort((a, b) => compareAddresses(a.address, b.address))
    return { shards: shards.slice(0, limit), truncated: shards.length > limit }
  }

  get damagedShards(): number {
    return this.#damaged.size
  }

  /** From now on the shard cannot be read, until it is put again. */
  damage(address: ShardAddress): void {
    this.#damaged.add(keyOf(address))
  }

  status(): Promise<StorageStatus> {
    const liveBytes = [...this.shards.values()].reduce((sum, shard) => sum + shard.bytes, 0)
    return Promise.resolve({
      node: this.id,
      zone: '',
      writable: true,
      reason: '',
      shards: this.shards.size,
      liveBytes,
      usedBytes: liveBytes,
      freeBytes: Number.MAX_SAFE_INTEGER,
      totalBytes: Number.MAX_SAFE_INTEGER,
      segments: 1,
      suspect: false,
      damagedShards: this.#damaged.size,
      scrub: { cycle: 0, cycleStartedMs: 0, bytesDone: 0, bytesTotal: 0, lastCompletedMs: 0, found: 0 },
    })
  }

  has(address: ShardAddress): boolean {
    return this.shards.has(keyOf(address))
  }

  #begin(operation: ShardOperation, address: Pick<ShardAddress, 'blob'>, epoch: number): Fault | undefined {
    this.calls[operation]++
    const fault = this.fault(operation, address)
    if (fault?.kind === 'fail') throw new ShardError(fault.code, `${this.id}: as ordered`)
    if (epoch < this.epoch) throw new ShardError('stale-map', `${this.id} knows epoch ${this.epoch}`)
    if (Number.isFinite(epoch)) this.epoch = epoch
    return fault
  }

  async #suffer(fault: Fault | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw new ShardError('aborted', 'given up')
    if (fault?.kind === 'hang') await waitForAbort(signal)
    if (fault?.kind === 'slow') {
      await this.#world.clock.sleep(fault.ms, signal).catch((error: unknown) => {
        throw new ShardError('aborted', 'given up', { cause: error })
      })
    }
  }
}

export class FakeShards implements ShardTransport {
  readonly clock: Clock
  readonly nodes: ReadonlyMap<string, FakeNode>
  /** Keep no bytes: for uploads larger than memory. */
  readonly countOnly: boolean
  bytesInFlight = 0
  bytesInFlightMax = 0

  constructor(clock: Clock, ids: readonly string[], options: { readonly countOnly?: boolean } = {}) {
    this.clock = clock
    this.countOnly = options.countOnly ?? false
    this.nodes = new Map(ids.map((id) => [id, new FakeNode(id, this)]))
  }

  node(id: string): FakeNode {
    return this.nodes.get(id) ?? new FakeNode(id, this)
  }

  /** The same fault for every call to these nodes; `undefined` heals them. */
  afflict(ids: Iterable<string>, fault: Fault | undefined): void {
    for (const id of ids) this.node(id).fault = () => fault
  }

  /** Shards kept anywhere. */
  get shardCount(): number {
    return [...this.nodes.values()].reduce((sum, node) => sum + node.shards.size, 0)
  }

  enter(bytes: number): void {
    this.bytesInFlight += bytes
    this.bytesInFlightMax = Math.max(this.bytesInFlightMax, this.bytesInFlight)
  }

  leave(bytes: number): void {
    this.bytesInFlight -= bytes
  }
}

function keyOf({ group, blob, stripe, shard }: ShardAddress): string {
  return `${group}/${blob}/${stripe}/${shard}`
}

function addressOf(key: string): ShardAddress {
  const [group = '', blob = '', stripe = '', shard = ''] = key.split('/')
  return { group: Number(group), blob, stripe: Number(stripe), shard: Number(shard) }
}

function waitForAbort(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => {
      reject(new ShardError('aborted', 'given up'))
    }
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
