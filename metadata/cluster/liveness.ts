import { create } from '@bufbuild/protobuf'
import type { InventoryLine } from '../../core/ledger/inventory.ts'
import { NODE_LEASE_MS, NODE_SILENCE_MS } from '../../core/limits.ts'
import {
  type Inventory,
  NodeCondition,
  type NodeLiveness,
  NodeLivenessSchema,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'

interface Heard {
  readonly liveness: NodeLiveness
  /** When the lease ends, on the monotonic clock. */
  readonly leaseEnds: number
}

export interface KnownInventory {
  readonly version: bigint
  readonly lines: readonly InventoryLine[]
}

/**
 * Who is alive, and what each node said last of what it holds. Nothing of it is durable: it is known again within one
 * heartbeat's time.
 *
 * Until a whole lease has passed since this service began to listen, silence is its own and not the nodes': it says that it
 * is unsure. It begins anew when it heard nothing from anybody for so long that it must have stood still itself.
 */
export class LivenessTable {
  readonly #clock: Clock
  readonly #heard = new Map<string, Heard>()
  readonly #inventories = new Map<string, KnownInventory>()
  /** Since when it has listened without a break, and when it last heard from anybody, on the monotonic clock. */
  #listeningSince: number
  #lastHeard: number
  #generation = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#listeningSince = clock.monotonicMs()
    this.#lastHeard = this.#listeningSince
  }

  /** Somebody was heard. */
  listen(): void {
    const now = this.#clock.monotonicMs()
    if (now - this.#lastHeard > NODE_SILENCE_MS) this.#listeningSince = now
    this.#lastHeard = now
  }

  /** Whether silence may be this service's own. */
  get unsure(): boolean {
    const now = this.#clock.monotonicMs()
    return now - this.#lastHeard > NODE_SILENCE_MS || now - this.#listeningSince < NODE_LEASE_MS
  }

  /** Grows with every inventory. */
  get generation(): number {
    return this.#generation
  }

  /** Renews the node's lease. */
  renew(liveness: NodeLiveness, inventory: Inventory | undefined): void {
    const leaseEnds = this.#clock.monotonicMs() + NODE_LEASE_MS
    this.#heard.set(liveness.node, { liveness, leaseEnds })
    if (inventory === undefined) return
    const { version } = inventory
    const lines = inventory.lines.map(({ group, shard, blobs }) => ({ group, shard, blobs: Number(blobs) }))
    this.#inventories.set(liveness.node, { version, lines })
    this.#generation++
  }

  /** Whether the node was heard since this service started. */
  heard(node: string): boolean {
    return this.#heard.has(node)
  }

  /** What the node reported last, since this service started. */
  inventory(node: string): KnownInventory | undefined {
    return this.#inventories.get(node)
  }

  /** The node is not of the cluster any more. */
  forget(node: string): void {
    this.#heard.delete(node)
    this.#inventories.delete(node)
    this.#generation++
  }

  of(node: string): NodeLiveness {
    const heard = this.#heard.get(node)
    const now = this.#clock.monotonicMs()
    const sureSince = this.#listeningSince + NODE_LEASE_MS
    const unsure = now < sureSince
    const downSince = Math.max(heard?.leaseEnds ?? 0, sureSince)
    const downSinceMs = unsure ? 0n : BigInt(Math.round(this.#clock.nowMs() - (now - downSince)))
    if (heard === undefined) {
      return create(NodeLivenessSchema, {
        node,
        up: false,
        unsure,
        downSinceMs,
        reason: 'not heard from yet',
      })
    }
    const { $typeName: _, ...last } = heard.liveness
    if (now < heard.leaseEnds) {
      const condition = last.condition === NodeCondition.UNSPECIFIED ? NodeCondition.WRITABLE : last.condition
      return create(NodeLivenessSchema, { ...last, up: true, unsure: false, downSinceMs: 0n, condition })
    }
    return create(NodeLivenessSchema, {
      ...last,
      up: false,
      unsure,
      downSinceMs,
      reason: 'its lease has ended',
    })
  }
}
