/**
 * A content on its way to the nodes: filled into stripes, encoded and hashed, uploaded.
 *
 * Memory: at most WRITE_STRIPES_MAX stripes of (k + m) shards of 1 MiB each (18 MiB for rs-4-2), whatever the size of the
 * content; all writes of a process together, WRITE_MEMORY_BYTES. Contents of whole copies up to INLINE_CONTENT_BYTES_MAX
 * use a buffer of their own size instead. A stripe's memory is let go of when its digests have passed and every attempt to
 * send it has settled: an attempt that timed out may still be reading it.
 */

import type { Code } from '../../core/erasure/code.ts'
import { shardDataBytes, stripeAt, stripeCount, type Stripe } from '../../core/erasure/layout.ts'
import { INLINE_CONTENT_BYTES_MAX, WRITE_STRIPES_MAX } from '../../core/limits.ts'
import { acknowledge } from '../../core/placement/acknowledge.ts'
import { relocationsOf, type Relocation } from '../../core/placement/relocation.ts'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import type { ContentWork } from '../../runtime/compute/host.ts'
import {
  shardAt,
  shardView,
  stripeSlot,
  stripeSlotBytes,
  sumsView,
} from '../../runtime/compute/stripe-slot.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { createChecksum } from '../../runtime/crypto/checksum.ts'
import { StoreError, type Content, type DigestName } from '../api.ts'
import type { ClusterSnapshot, GroupView } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { MemoryLease } from '../memory/stripe-memory.ts'
import type { Scope } from '../scope.ts'
import { ContentReader } from './content-reader.ts'
import { StripeUpload, type StripeShards } from './stripe-upload.ts'

export type Digests = ReadonlyMap<DigestName, Uint8Array>

/** Where a blob is to go. */
export interface BlobTarget {
  readonly snapshot: ClusterSnapshot
  readonly group: GroupView
  readonly blob: string
  readonly owner: ShardOwner
}

export class BlobWrite {
  readonly #environment: Environment
  readonly #scope: Scope
  readonly #content: Content
  readonly #target: BlobTarget
  readonly #code: Code
  /** For each stripe, the node of each shard. */
  readonly #stored: (readonly (string | undefined)[])[] = []
  readonly #touched = new Set<string>()
  /** Stripes whose memory is still held, oldest first; these never reject. */
  readonly #held: Promise<void>[] = []
  readonly #sent: Promise<void>[] = []
  /** Of a content whose size is a bound: the bound, until its end is known. */
  #size: number

  constructor(environment: Environment, scope: Scope, content: Content, target: BlobTarget) {
    this.#environment = environment
    this.#scope = scope
    this.#content = content
    this.#target = target
    this.#code = target.group.pool.code
    this.#size = content.size
  }

  /** Nodes that may hold shards of the blob. */
  get touched(): ReadonlySet<string> {
    return this.#touched
  }

  /** Bytes of the blob, once `run` has resolved. */
  get size(): number {
    return this.#size
  }

  /** Resolves when the write holds no memory and sends nothing any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#held)
  }

  /**
   * Resolves to the digests once every stripe may be acknowledged. When it rejects, the scope has ended and everything of
   * the write is on its way to stop (see {@link settled}).
   *
   * @param accept is given the digests: for small contents before anything is sent
   */
  async run<T>(accept: (digests: Digests) => T): Promise<T> {
    const reader = new ContentReader(this.#content, this.#scope)
    try {
      const whole = this.#content.size <= INLINE_CONTENT_BYTES_MAX && this.#code.kind === 'replica'
      return await (whole ? this.#runWhole(reader, accept) : this.#runStripes(reader, accept))
    } catch (error) {
      this.#scope.abort(error instanceof Error ? error : new Error('the write failed', { cause: error }))
      reader.abandon()
      throw this.#scope.reason ?? error
    }
  }

  /** The shards that are not where the newest map has their slots; empty for a healthy blob. @throws {StoreError} */
  relocations(): Relocation[] {
    const slots = this.#slots()
    // Slots that moved meanwhile may have made departures of what was healthy.
    for (const stored of this.#stored) this.#judge(slots, stored)
    return relocationsOf(slots, this.#stored)
  }

  /** Small copies: one buffer, nothing to encode, hashed on the spot. */
  async #runWhole<T>(reader: ContentReader, accept: (digests: Digests) => T): Promise<T> {
    const { size, digests } = this.#content
    const room = new Uint8Array(size)
    await reader.pourInto(room)
    await reader.end()
    this.#size = reader.taken
    const data = room.subarray(0, reader.taken)
    const accepted = accept(
      new Map(
        digests.map((name) => {
          const running = createChecksum(name)
          running.update(data)
          return [name, running.digest()]
        }),
      ),
    )
    if (data.byteLength === 0) return accepted
    const shard = { data, checksums: crc32cBlocks(data) }
    const upload = this.#upload(0, () => shard)
    this.#held.push(upload.settled)
    this.#record(0, await upload.stored)
    return accepted
  }

  async #runStripes<T>(reader: ContentReader, accept: (digests: Digests) => T): Promise<T> {
    const { compute } = this.#environment
    const { size, digests } = this.#content
    const work = compute.openContent(digests, size <= INLINE_CONTENT_BYTES_MAX)
    try {
      const count = stripeCount(this.#code, size)
      for (let index = 0; index < count && !reader.ended; index++) {
        await this.#fillAndSend(reader, work, stripeAt(this.#code, size, index), index === count - 1)
      }
      await reader.end()
      this.#size = reader.taken
      const taken = await work.finish()
      const accepted = accept(new Map(digests.map((name, i) => [name, digestAt(taken, i)])))
      await Promise.all(this.#sent)
      return accepted
    } finally {
      work.drop()
    }
  }

  async #fillAndSend(reader: ContentReader, work: ContentWork, stripe: Stripe, last: boolean): Promise<void> {
    const { compute, writeMemory } = this.#environment
    // A client that sends nothing holds no memory.
    await reader.ready()
    if (reader.ended && this.#content.atMost === true) return
    if (this.#held.length >= WRITE_STRIPES_MAX) await this.#held.shift()
    this.#scope.throwIfAborted()
    let filled = stripe
    const lease = await writeMemory.acquire(stripeSlotBytes(this.#code, stripe.shardBytes), this.#scope)
    const before = reader.taken
    const endFill = writeMemory.fills.begin({
      filled: () => reader.taken - before,
      giveUp: () => {
        this.#scope.abort(new StoreError('overloaded', 'memory is short, and the content came too slowly'))
      },
    })
    try {
      const slot = stripeSlot(this.#code, lease.at, stripe.shardBytes)
      for (let shard = 0; shard < this.#code.k; shard++) {
        const at = shardAt(this.#code, slot, shard)
        const bytes = shardDataBytes(stripe, shard)
        await reader.pourInto(new Uint8Array(compute.memory.buffer, at, bytes))
      }
      if (last) await reader.end()
      if (this.#content.atMost === true) filled = await this.#cutToEnd(reader, stripe, lease)
    } catch (error) {
      lease.release()
      throw error
    } finally {
      endFill()
    }
    this.#send(work, filled, lease)
  }

  /**
   * The stripe as it is: one that the content's end has left short is the last, and its shards are shorter. Their bytes lie
   * where those of the longer ones were poured, and are moved.
   */
  async #cutToEnd(reader: ContentReader, stripe: Stripe, lease: MemoryLease): Promise<Stripe> {
    // Whether a full one is the last shows only at what follows.
    await reader.ready()
    if (!reader.ended) return stripe
    this.#size = reader.taken
    const cut = stripeAt(this.#code, reader.taken, stripe.index)
    if (cut.shardBytes === stripe.shardBytes) return cut
    const { memory } = this.#environment.compute
    const at = ({ shardBytes }: Stripe, shard: number): number =>
      shardAt(this.#code, stripeSlot(this.#code, lease.at, shardBytes), shard)
    const data = new Uint8Array(cut.dataBytes)
    for (let shard = 0; shard < this.#code.k; shard++) {
      const from = shard * stripe.shardBytes
      const bytes = Math.min(stripe.shardBytes, cut.dataBytes - from)
      if (bytes > 0) data.set(new Uint8Array(memory.buffer, at(stripe, shard), bytes), from)
    }
    for (let shard = 0; shard < this.#code.k; shard++) {
      const from = shard * cut.shardBytes
      const bytes = shardDataBytes(cut, shard)
      new Uint8Array(memory.buffer, at(cut, shard), bytes).set(data.subarray(from, from + bytes))
    }
    return cut
  }

  /** Starts what is left of a stripe's way. Failures end the scope. */
  #send(work: ContentWork, stripe: Stripe, lease: MemoryLease): void {
    const { memory } = this.#environment.compute
    const slot = stripeSlot(this.#code, lease.at, stripe.shardBytes)
    const progress = work.encode({ code: this.#code.name, slot, dataBytes: stripe.dataBytes })
    let settled: Promise<void> | undefined
    const send = async (): Promise<void> => {
      await progress.encoded
      this.#scope.throwIfAborted()
      const upload = this.#upload(stripe.index, (shard) => ({
        data: shardView(memory, this.#code, slot, shard),
        checksums: sumsView(memory, this.#code, slot, shard),
      }))
      settled = upload.settled
      this.#record(stripe.index, await upload.stored)
    }
    const sent = send().catch((error: unknown) => {
      this.#scope.abort(error instanceof Error ? error : new Error('a stripe failed', { cause: error }))
      throw error
    })
    this.#sent.push(sent)
    const hashed = progress.hashed.catch((error: unknown) => {
      this.#scope.abort(error instanceof Error ? error : new Error('a digest failed', { cause: error }))
    })
    this.#held.push(this.#letGo(lease, sent, hashed, () => settled))
  }

  async #letGo(
    lease: MemoryLease,
    sent: Promise<void>,
    hashed: Promise<void>,
    settled: () => Promise<void> | undefined,
  ): Promise<void> {
    await sent.catch(() => undefined)
    await hashed
    await settled()
    lease.release()
  }

  #upload(
    stripe: number,
    shard: StripeShards['shard'],
  ): { stored: Promise<(string | undefined)[]>; settled: Promise<void> } {
    const { group, blob, snapshot } = this.#target
    // What the shards say of the blob's size is exact in its last stripe, and before that where it was known.
    const owner = { ...this.#target.owner, blobBytes: this.#size }
    const shards: StripeShards = { group: group.id, blob, stripe, owner, shard }
    const newest = this.#environment.cluster.current ?? snapshot
    const upload = new StripeUpload(
      this.#environment,
      this.#scope,
      shards,
      newest,
      newest.group(group.id) ?? group,
      this.#touched,
    )
    const stored = upload.run()
    return { stored, settled: stored.then(() => upload.settled()) }
  }

  #record(stripe: number, stored: readonly (string | undefined)[]): void {
    this.#scope.throwIfAborted()
    this.#judge(this.#slots(), stored)
    this.#stored[stripe] = stored
  }

  /** The node of each slot by the newest map. */
  #slots(): string[] {
    const { group } = this.#target
    const newest = this.#environment.cluster.current?.group(group.id) ?? group
    return newest.slots.map((slot) => slot.node)
  }

  #judge(slots: readonly string[], stored: readonly (string | undefined)[]): void {
    if (acknowledge(this.#code, slots, stored) !== 'refused') return
    const nodes = new Set(stored.filter((node) => node !== undefined))
    const count = stored.filter((node) => node !== undefined).length
    throw new StoreError(
      'unwritable',
      `only ${count} of ${this.#code.total} shards were taken, by ${nodes.size} nodes: ${this.#code.name} cannot lose one more`,
    )
  }
}

function digestAt(digests: readonly Uint8Array[], index: number): Uint8Array {
  const digest = digests[index]
  if (digest === undefined) throw new Error(`digest ${index} is missing`)
  return digest
}
