/** One stripe on its way to its nodes: all shards at once, each on its slot's node or, failing that, on a substitute. */

import { acknowledge } from '../../core/placement/acknowledge.ts'
import { mendStripe } from '../../core/placement/mend.ts'
import { chooseSubstitute } from '../../core/placement/substitute.ts'
import {
  CLUSTER_POLL_MS,
  SHARD_PUT_NODES_MAX,
  SHARD_PUT_TIMEOUT_MS,
  SHARD_PUT_TIMEOUT_MS_MAX,
  STALE_MAP_RETRIES_MAX,
  STRIPE_MENDS_MAX,
} from '../../core/limits.ts'
import { ShardError, type PutShard, type ShardOwner } from '../../proto/shard-transport.ts'
import { afterAwake } from '../../runtime/clock/after-awake.ts'
import type { ClusterSnapshot, GroupView } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { Scope } from '../scope.ts'

export interface StripeShards {
  readonly group: number
  readonly blob: string
  readonly stripe: number
  readonly owner: ShardOwner
  /** The bytes of each shard and the CRC32C of its blocks. Stay as they are until {@link StripeUpload.settled}. */
  shard(index: number): Pick<PutShard, 'data' | 'checksums'>
}

type Outcome = 'stored' | 'stale-map' | 'failed'

export class StripeUpload {
  readonly #environment: Environment
  readonly #scope: Scope
  readonly #shards: StripeShards
  readonly #attempts: Promise<void>[] = []
  /** Nodes that were sent anything, to be cleaned up if the write fails. */
  readonly #touched: Set<string>
  /** Shards of this stripe that each node holds or is being sent. */
  readonly #loads = new Map<string, number>()
  /** Where each shard is, or is being sent. */
  #planned: (string | undefined)[] = []
  /** By shard: how often each node did not take it. */
  readonly #failures: readonly Map<string, number>[]
  /** Monotonic milliseconds after which no other node is tried. */
  readonly #deadline: number
  /** Shards that are durable. */
  #stored = 0
  #snapshot: ClusterSnapshot
  #group: GroupView

  /** @param touched gathers the nodes of all stripes of a blob */
  constructor(
    environment: Environment,
    scope: Scope,
    shards: StripeShards,
    snapshot: ClusterSnapshot,
    group: GroupView,
    touched: Set<string>,
  ) {
    this.#environment = environment
    this.#scope = scope
    this.#shards = shards
    this.#snapshot = snapshot
    this.#group = group
    this.#touched = touched
    this.#failures = Array.from({ length: group.pool.code.total }, () => new Map<string, number>())
    this.#deadline = environment.clock.monotonicMs() + SHARD_PUT_TIMEOUT_MS_MAX
  }

  /**
   * Resolves to the node on which each shard is durable, `undefined` where none took it, once every shard has an answer.
   * Never rejects; when the scope ends, the rest counts as not stored.
   */
  async run(): Promise<(string | undefined)[]> {
    this.#plan(true)
    // Suspicion is a hint: when heeding it would refuse the write, it is not heeded.
    if (!this.#wouldDo()) this.#plan(false)
    await Promise.all(this.#planned.map((_, shard) => this.#place(shard)))
    // Nodes that were late, perhaps with the load, may have left the others with more than they should have.
    for (let round = 0; round < STRIPE_MENDS_MAX && !this.#wouldDo(); round++) {
      // What was refused at once is not asked again at once: a connection is being made, or a lease runs out.
      if (round > 0) await this.#pause()
      if (!(await this.#mend(SHARD_PUT_TIMEOUT_MS * 2 ** round))) break
    }
    return this.#planned
  }

  /** Resolves when no attempt reads the stripe's memory any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#attempts)
  }

  /** First all that can stay where they belong, so that substitutes are chosen knowing what each node gets. */
  #plan(heedful: boolean): void {
    const { total } = this.#group.pool.code
    this.#planned = Array.from({ length: total }, () => undefined)
    this.#loads.clear()
    const shards = Array.from({ length: total }, (_, shard) => shard)
    for (const shard of shards) this.#assign(shard, this.#slotNode(shard, NONE, heedful))
    for (const shard of shards) {
      if (this.#planned[shard] === undefined) this.#assign(shard, this.#substitute(shard, NONE, heedful))
    }
  }

  /** Afterwards the shard is on the node that `#planned` names, or on none. */
  async #place(shard: number): Promise<void> {
    const failed: ReadonlyMap<string, number> = this.#failures[shard] ?? NONE
    let stale = 0
    for (;;) {
      const node = this.#planned[shard]
      if (node === undefined) return
      const outcome =
        this.#scope.reason === undefined ? await this.#attempt(shard, node, SHARD_PUT_TIMEOUT_MS) : 'failed'
      if (outcome === 'stored') {
        this.#stored++
        return
      }
      this.#assign(shard, undefined)
      if (this.#scope.reason !== undefined) return
      if (outcome === 'stale-map' && stale < STALE_MAP_RETRIES_MAX) {
        stale++
        await this.#refresh()
      } else {
        this.#countFailure(shard, node)
      }
      if (this.#timeLeft() <= 0 || failed.size >= SHARD_PUT_NODES_MAX) return
      this.#assign(shard, this.#slotNode(shard, failed, true) ?? this.#substitute(shard, failed, true))
      if (this.#wouldDo()) continue
      this.#assign(shard, undefined)
      this.#assign(shard, this.#slotNode(shard, failed, false) ?? this.#substitute(shard, failed, false))
    }
  }

  /** Whether the stripe may be acknowledged if all goes as planned. */
  #wouldDo(): boolean {
    return acknowledge(this.#group.pool.code, this.#slots(), this.#planned) !== 'refused'
  }

  #slots(): string[] {
    return this.#group.slots.map((slot) => slot.node)
  }

  /**
   * Once every shard has an answer: sends those again that would make the stripe good enough, giving each `patienceMs`.
   * Resolves to false when there is nothing to send, or no time.
   */
  async #mend(patienceMs: number): Promise<boolean> {
    this.#lookAgain()
    const moves = this.#planMend()
    const wait = Math.min(patienceMs, this.#timeLeft())
    if (moves === undefined || wait <= 0 || this.#scope.reason !== undefined) return false
    const { log } = this.#environment
    log.debug('a stripe is sent again in part', { blob: this.#shards.blob, moves: [...moves] })
    await Promise.all(
      [...moves].map(async ([shard, node]) => {
        const outcome = await this.#attempt(shard, node, wait)
        if (outcome === 'stored') {
          if (this.#planned[shard] === undefined) this.#stored++
          this.#assign(shard, node)
        } else if (outcome === 'stale-map') {
          await this.#refresh()
        } else {
          this.#countFailure(shard, node)
        }
      }),
    )
    return true
  }

  /** By nodes that did not fail and are not suspected, if that can be, else by those that did the least. */
  #planMend(): ReadonlyMap<number, string> | undefined {
    const { nodes } = this.#snapshot
    const { suspicion } = this.#environment
    const slots = this.#slots()
    const live = [...nodes.values()].filter((node) => node.writable)
    const suspected = new Set(live.filter(({ id }) => suspicion.suspects(id, 'write')).map(({ id }) => id))
    const doubts = (shard: number, node: string): number =>
      (this.#failures[shard]?.get(node) ?? 0) + (suspected.has(node) ? 1 : 0)
    const most = 1 + Math.max(0, ...this.#failures.flatMap((failures) => [...failures.values()]))
    for (let limit = 0; limit <= most; limit++) {
      const moves = mendStripe({
        code: this.#group.pool.code,
        slots,
        zones: slots.map((slot) => nodes.get(slot)?.zone),
        stored: this.#planned,
        candidates: (shard) => live.filter(({ id }) => doubts(shard, id) <= limit),
        liveNodes: live.length,
        seed: this.#shards.blob,
      })
      if (moves !== undefined) return moves
    }
    return undefined
  }

  /** A second, in which the cluster is looked at again; less if the scope ends. */
  async #pause(): Promise<void> {
    if (this.#scope.reason !== undefined) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancelTimer()
        cancelAbort()
        resolve()
      }
      const cancelTimer = this.#environment.clock.after(CLUSTER_POLL_MS, done)
      const cancelAbort = this.#scope.onAbort(done)
    })
  }

  #countFailure(shard: number, node: string): void {
    const failures = this.#failures[shard]
    failures?.set(node, (failures.get(node) ?? 0) + 1)
  }

  #timeLeft(): number {
    return this.#deadline - this.#environment.clock.monotonicMs()
  }

  /** The node of the shard's slot, if it is worth trying. */
  #slotNode(shard: number, failed: ReadonlyMap<string, number>, heedful: boolean): string | undefined {
    const node = this.#group.slots[shard]?.node
    if (node === undefined || failed.has(node) || !this.#takesWrites(node)) return undefined
    // A node that holds several slots of the stripe is one probe, not several: once let through, always.
    if (!heedful || (this.#loads.get(node) ?? 0) > 0) return node
    return this.#environment.suspicion.admits(node, 'write') ? node : undefined
  }

  #substitute(shard: number, failed: ReadonlyMap<string, number>, heedful: boolean): string | undefined {
    const { nodes } = this.#snapshot
    const { suspicion } = this.#environment
    const live = [...nodes.values()].filter(
      (node) => node.writable && !(heedful && suspicion.suspects(node.id, 'write')),
    )
    return chooseSubstitute({
      code: this.#group.pool.code,
      zone: nodes.get(this.#group.slots[shard]?.node ?? '')?.zone,
      candidates: live.filter((node) => !failed.has(node.id)),
      loads: this.#loads,
      liveNodes: live.length,
      seed: this.#shards.blob,
    })
  }

  #takesWrites(node: string): boolean {
    return this.#snapshot.nodes.get(node)?.writable ?? false
  }

  #assign(shard: number, node: string | undefined): void {
    const before = this.#planned[shard]
    if (before !== undefined) this.#loads.set(before, (this.#loads.get(before) ?? 0) - 1)
    if (node !== undefined) this.#loads.set(node, (this.#loads.get(node) ?? 0) + 1)
    this.#planned[shard] = node
  }

  async #refresh(): Promise<void> {
    this.#goBy(await this.#environment.cluster.newerThan(this.#snapshot.epoch))
  }

  /** Which nodes are up may have been told anew since the stripe was planned. */
  #lookAgain(): void {
    this.#goBy(this.#environment.cluster.current)
  }

  #goBy(newer: ClusterSnapshot | undefined): void {
    const group = newer?.group(this.#group.id)
    // A pool that vanished from the map leaves the write as it was planned, for the nodes to refuse.
    if (newer === undefined || group === undefined) return
    this.#snapshot = newer
    this.#group = group
  }

  /** One shard to one node. Settles in bounded time whatever the transport does. */
  #attempt(shard: number, node: string, patienceMs: number): Promise<Outcome> {
    const { shards, clock, suspicion } = this.#environment
    const { group, blob, stripe, owner } = this.#shards
    const request: PutShard = {
      address: { group, blob, stripe, shard },
      owner,
      epoch: this.#snapshot.epoch,
      ...this.#shards.shard(shard),
    }
    this.#touched.add(node)
    return new Promise((resolve) => {
      const controller = new AbortController()
      const give = (outcome: Outcome): void => {
        cancelTimer()
        cancelAbort()
        resolve(outcome)
      }
      const late = (): void => {
        // While its peers are late too, it is the load and not the node.
        if (this.#stored < this.#group.pool.code.k && this.#timeLeft() > 0) {
          cancelTimer = clock.after(SHARD_PUT_TIMEOUT_MS / 4, late)
          return
        }
        suspicion.failed(node, 'write')
        suspicion.failed(node, 'read')
        give('failed')
        controller.abort()
      }
      let cancelTimer = afterAwake(clock, patienceMs, late)
      const cancelAbort = this.#scope.onAbort(() => {
        give('failed')
        controller.abort()
      })
      const attempt = shards
        .node(node)
        .put(request, controller.signal)
        .then(
          () => {
            suspicion.succeeded(node, 'write')
            give('stored')
          },
          (error: unknown) => {
            if (!controller.signal.aborted) this.#note(node, error)
            give(error instanceof ShardError && error.code === 'stale-map' ? 'stale-map' : 'failed')
          },
        )
      this.#attempts.push(attempt)
    })
  }

  #note(node: string, error: unknown): void {
    const { suspicion, log } = this.#environment
    const code = error instanceof ShardError ? error.code : undefined
    if (code === 'stale-map') return
    log.debug('a shard was not taken', { node, blob: this.#shards.blob, error })
    // A shard damaged on its way says nothing of the node.
    if (code === 'corrupt') return
    suspicion.failed(node, 'write')
    if (code === 'unavailable') suspicion.failed(node, 'read')
  }
}

const NONE: ReadonlyMap<string, number> = new Map()
