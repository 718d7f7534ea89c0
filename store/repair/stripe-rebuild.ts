/**
 * The wanted shards of one stripe, made again. Reads as planned by plan.ts, anew after each failure with what is already in
 * hand; computes; puts; reads back.
 *
 * Memory: the stripe's slot, where something is computed; otherwise the shards that are copied. What is being received lies
 * beside it for a moment, so that at worst it is twice that.
 */

import { parseCode, type Code } from '../../core/erasure/code.ts'
import { stripeAt } from '../../core/erasure/layout.ts'
import { INLINE_WINDOW_BYTES_MAX, SHARD_GET_TIMEOUT_MS, SHARD_PUT_TIMEOUT_MS_MAX } from '../../core/limits.ts'
import { ShardError, type ShardAddress } from '../../proto/shard-transport.ts'
import {
  shardView,
  stripeSlot,
  stripeSlotBytes,
  sumsView,
  type StripeSlot,
} from '../../runtime/compute/stripe-slot.ts'
import { StoreError } from '../api.ts'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { MemoryLease } from '../memory/stripe-memory.ts'
import type { Scope } from '../scope.ts'
import type { DamagedSource, RebuildStripe, StripeRepair } from './api.ts'
import { attempt, withNewestMap } from './attempt.ts'
import { Payer } from './payer.ts'
import { planReads, proofsFor, type ReadPlan } from './plan.ts'
import type { Turnstile } from './turnstile.ts'
import { wholeShard, type ShardBytes } from './whole-shard.ts'

export interface RepairEnvironment extends Environment {
  readonly repairTurns: Turnstile
}

export class StripeRebuild {
  readonly #environment: RepairEnvironment
  readonly #scope: Scope
  readonly #request: RebuildStripe
  readonly #code: Code
  readonly #shardBytes: number
  readonly #snapshot: ClusterSnapshot
  /** Nodes left to ask for each shard, the best first. */
  readonly #sources: Map<number, string[]>
  readonly #targetZones: ReadonlySet<string | undefined>
  readonly #payer: Payer
  readonly #puts: Promise<void>[] = []
  readonly #stored = new Set<number>()
  readonly #failed = new Map<number, Error>()
  readonly #damaged: DamagedSource[] = []
  #bytesRead = 0
  #bytesReadAcrossZones = 0
  #bytesWritten = 0
  #bytesReadBack = 0

  /** @throws {RangeError} */
  constructor(
    environment: RepairEnvironment,
    scope: Scope,
    snapshot: ClusterSnapshot,
    request: RebuildStripe,
  ) {
    const { blob, stripe, sources, wanted, budget } = request
    this.#environment = environment
    this.#scope = scope
    this.#snapshot = snapshot
    this.#request = request
    this.#code = parseCode(blob.code)
    this.#shardBytes = stripeAt(this.#code, Number(blob.size), stripe).shardBytes
    for (const shard of [...wanted.keys(), ...sources.keys()]) {
      const valid = Number.isInteger(shard) && shard >= 0 && shard < this.#code.total
      if (!valid) throw new RangeError(`${this.#code.name} has no shard ${shard}`)
    }
    this.#targetZones = new Set([...wanted.values()].map((node) => this.#zoneOf(node)))
    this.#payer = new Payer(budget)
    this.#sources = new Map(
      [...sources].map(([shard, nodes]) => {
        const others = [...new Set(nodes)].filter((node) => node !== wanted.get(shard))
        return [shard, others.sort((a, b) => this.#rank(a) - this.#rank(b))]
      }),
    )
  }

  async run(): Promise<StripeRepair> {
    const all = [...this.#request.wanted.keys()]
    const copied = all.every((shard) => this.#hasSource(shard)) || this.#code.kind === 'replica'
    if (all.length > 0 && copied) await this.#copy(all)
    const rest = all.filter((shard) => !this.#stored.has(shard) && !this.#failed.has(shard))
    if (rest.length > 0) await this.#compute(rest)
    return {
      stored: this.#stored,
      failed: this.#failed,
      bytesRead: this.#bytesRead,
      bytesReadAcrossZones: this.#bytesReadAcrossZones,
      bytesWritten: this.#bytesWritten,
      bytesReadBack: this.#bytesReadBack,
      damagedSources: this.#damaged,
    }
  }

  /** What others have is put as it came. A shard that nobody has after all is left for {@link #compute}. */
  async #copy(wanted: readonly number[]): Promise<void> {
    const held = new Map<number, ShardBytes>()
    const isReplica = this.#code.kind === 'replica'
    await this.#prepay(wanted)
    const lease = await this.#acquire((isReplica ? 1 : wanted.length) * this.#shardBytes)
    try {
      const plan = await this.#gather(wanted, held, (_shard, bytes) => bytes, !isReplica)
      this.#giveUp(isReplica ? plan.hopeless : [])
      const [any] = held.values()
      await this.#putAll(wanted, (shard) => (isReplica ? any : held.get(shard)))
    } finally {
      this.#letGo(lease)
    }
    for (const shard of this.#stored) this.#sources.get(shard)?.unshift(this.#request.wanted.get(shard) ?? '')
  }

  async #compute(wanted: readonly number[]): Promise<void> {
    const held = new Map<number, ShardBytes>()
    const { memory } = this.#environment.compute
    await this.#prepay(wanted)
    const lease = await this.#acquire(stripeSlotBytes(this.#code, this.#shardBytes))
    try {
      const slot = stripeSlot(this.#code, lease.at, this.#shardBytes)
      const keep = (shard: number, { data, checksums }: ShardBytes): ShardBytes => {
        const view = shardView(memory, this.#code, slot, shard)
        view.set(data)
        return { data: view, checksums }
      }
      const plan = await this.#gather(wanted, held, keep, false)
      this.#giveUp(plan.hopeless)
      for (const shard of await this.#reconstruct(slot, plan)) {
        const data = shardView(memory, this.#code, slot, shard)
        held.set(shard, { data, checksums: sumsView(memory, this.#code, slot, shard) })
      }
      await this.#putAll(wanted, (shard) => held.get(shard))
    } finally {
      this.#letGo(lease)
    }
  }

  /** Reads what the plan asks for, until it asks for nothing more. */
  async #gather(
    wanted: readonly number[],
    held: Map<number, ShardBytes>,
    keep: (shard: number, bytes: ShardBytes) => ShardBytes,
    onlyWanted: boolean,
  ): Promise<ReadPlan> {
    for (;;) {
      const plan = this.#plan(wanted, held)
      const read = onlyWanted ? plan.read.filter((shard) => wanted.includes(shard)) : plan.read
      if (read.length === 0) return plan
      const reads = await Promise.allSettled(
        read.map(async (shard) => {
          const bytes = await this.#read(shard)
          if (bytes !== undefined) held.set(shard, keep(shard, bytes))
        }),
      )
      // Not before all have settled: none may write to memory that was let go of.
      for (const outcome of reads) if (outcome.status === 'rejected') throw outcome.reason
    }
  }

  #plan(wanted: readonly number[], held: ReadonlyMap<number, ShardBytes>): ReadPlan {
    const readable = [...this.#sources.keys()]
      .filter((shard) => !held.has(shard) && this.#hasSource(shard))
      .sort((a, b) => this.#rankOf(a) - this.#rankOf(b) || a - b)
    return planReads({ code: this.#code, wanted, held: [...held.keys()], readable })
  }

  /** From the best of its nodes; one that does not give it is not asked again. */
  async #read(shard: number): Promise<ShardBytes | undefined> {
    const { shards, suspicion, log } = this.#environment
    const node = this.#sources.get(shard)?.[0] ?? ''
    const address = this.#address(shard)
    await this.#payer.pay(this.#shardBytes, this.#scope)
    try {
      const epoch = Math.max(this.#request.epoch, this.#snapshot.epoch)
      const blocks = await withNewestMap(
        this.#environment,
        epoch,
        () => true,
        (current) =>
          attempt(this.#environment, this.#scope, SHARD_GET_TIMEOUT_MS, (signal) =>
            shards.node(node).get({ address, epoch: current }, signal),
          ).result,
      )
      suspicion.succeeded(node, 'read')
      this.#bytesRead += blocks.data.byteLength
      if (!this.#targetZones.has(this.#zoneOf(node))) this.#bytesReadAcrossZones += blocks.data.byteLength
      return wholeShard(blocks, this.#shardBytes)
    } catch (error) {
      this.#scope.throwIfAborted()
      log.debug('a shard could not be read for repair', { node, ...address, error })
      this.#sources.get(shard)?.shift()
      const code = error instanceof ShardError ? error.code : undefined
      if (code === 'not-found' || code === 'corrupt') this.#damaged.push({ shard, node, code })
      if (code === 'unavailable') suspicion.failed(node, 'read')
      return undefined
    }
  }

  /** The shards computed. Those that could not be have failed. */
  async #reconstruct(slot: StripeSlot, { computed, sources }: ReadPlan): Promise<readonly number[]> {
    if (computed.length === 0) return []
    const { compute, repairTurns } = this.#environment
    const proofs = proofsFor(this.#code, computed, sources)
    const job = { code: this.#code.name, slot, available: sources, wanted: computed, proofs }
    try {
      if (this.#shardBytes <= INLINE_WINDOW_BYTES_MAX) await compute.reconstruct(job, true)
      else await repairTurns.run(() => compute.reconstruct(job, false))
      return computed
    } catch (error) {
      const failure = error instanceof Error ? error : new Error('not computed', { cause: error })
      this.#environment.log.error('shards were not reconstructed', { ...this.#address(0), computed, error })
      for (const shard of computed) this.#failed.set(shard, failure)
      return []
    }
  }

  async #putAll(
    wanted: readonly number[],
    bytesOf: (shard: number) => ShardBytes | undefined,
  ): Promise<void> {
    this.#scope.throwIfAborted()
    await Promise.all(
      wanted.map(async (shard) => {
        const bytes = bytesOf(shard)
        if (bytes === undefined) return
        try {
          await this.#put(shard, bytes)
          this.#stored.add(shard)
        } catch (error) {
          this.#scope.throwIfAborted()
          this.#failed.set(shard, error instanceof Error ? error : new Error('not stored', { cause: error }))
        }
      }),
    )
  }

  async #put(shard: number, { data, checksums }: ShardBytes): Promise<void> {
    const { shards, suspicion } = this.#environment
    const { blob, owner, wanted, epoch } = this.#request
    const node = wanted.get(shard) ?? ''
    const address = this.#address(shard)
    const whose = { ...owner, code: this.#code.name, blobBytes: Number(blob.size) }
    // By a newer map the shard may belong elsewhere: then it is not for this call to decide where it goes.
    const stands = (newer: ClusterSnapshot): boolean => newer.group(blob.group)?.slots[shard]?.node === node
    await this.#payer.pay(this.#shardBytes, this.#scope)
    try {
      await withNewestMap(this.#environment, epoch, stands, (current) => {
        const put = attempt(this.#environment, this.#scope, SHARD_PUT_TIMEOUT_MS_MAX, (signal) =>
          shards.node(node).put({ address, owner: whose, epoch: current, data, checksums }, signal),
        )
        this.#puts.push(put.settled)
        return put.result
      })
    } catch (error) {
      if (error instanceof ShardError && error.code === 'unavailable') suspicion.failed(node, 'write')
      throw error
    }
    this.#bytesWritten += data.byteLength
    await this.#readBack(node, shard, checksums)
  }

  async #readBack(node: string, shard: number, checksums: Uint32Array): Promise<void> {
    const { shards } = this.#environment
    const address = this.#address(shard)
    await this.#payer.pay(this.#shardBytes, this.#scope)
    const blocks = await withNewestMap(
      this.#environment,
      Math.max(this.#request.epoch, this.#snapshot.epoch),
      () => true,
      (epoch) =>
        attempt(this.#environment, this.#scope, SHARD_GET_TIMEOUT_MS, (signal) =>
          shards.node(node).get({ address, epoch }, signal),
        ).result,
    )
    this.#bytesReadBack += blocks.data.byteLength
    wholeShard(blocks, this.#shardBytes, checksums)
  }

  #giveUp(hopeless: readonly number[]): void {
    const { blob, stripe } = this.#request
    for (const shard of hopeless) {
      const what = `shard ${shard} of stripe ${stripe} of blob ${blob.id} (${this.#code.name})`
      this.#failed.set(shard, new StoreError('unreadable', `${what} cannot be made of what could be read`))
    }
  }

  /** Pays for all that is foreseen before memory is held, for whoever pays may wait long. */
  async #prepay(wanted: readonly number[]): Promise<void> {
    const { read, hopeless } = this.#plan(wanted, new Map())
    const shards = read.length + 2 * (wanted.length - hopeless.length)
    await this.#payer.prepay(shards * this.#shardBytes, this.#scope)
  }

  #acquire(bytes: number): Promise<MemoryLease> {
    return this.#environment.repairMemory.acquire(bytes, this.#scope)
  }

  /** Once nothing reads it any more: an attempt that timed out may still be sending. */
  #letGo(lease: MemoryLease): void {
    const settled = Promise.all(this.#puts).then(() => {
      lease.release()
    })
    this.#environment.background.run(settled)
  }

  #hasSource(shard: number): boolean {
    return (this.#sources.get(shard)?.length ?? 0) > 0
  }

  #rankOf(shard: number): number {
    return this.#rank(this.#sources.get(shard)?.[0] ?? '')
  }

  /** Nodes that should answer first, and of them those near a target. */
  #rank(node: string): number {
    const well =
      this.#snapshot.nodes.get(node)?.up === true && !this.#environment.suspicion.suspects(node, 'read')
    return (well ? 0 : 2) + (this.#targetZones.has(this.#zoneOf(node)) ? 0 : 1)
  }

  #zoneOf(node: string): string | undefined {
    return this.#snapshot.nodes.get(node)?.zone
  }

  #address(shard: number): ShardAddress {
    const { blob, stripe } = this.#request
    return { group: blob.group, blob: blob.id, stripe, shard }
  }
}
