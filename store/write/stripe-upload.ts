/** One stripe on its way to its nodes: all shards at once, each on its slot's node or, failing that, on a substitute. */

import { chooseSubstitute } from '../../core/placement/substitute.ts'
import { SHARD_PUT_NODES_MAX, SHARD_PUT_TIMEOUT_MS, STALE_MAP_RETRIES_MAX } from '../../core/limits.ts'
import { ShardError, type PutShard, type ShardOwner } from '../../proto/shard-transport.ts'
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
  }

  /**
   * Resolves to the node on which each shard is durable, `undefined` where none took it, once every shard has an answer.
   * Never rejects; when the scope ends, the rest counts as not stored.
   */
  run(): Promise<(string | undefined)[]> {
    const { total } = this.#group.pool.code
    // First all that can stay where they belong, so that substitutes are chosen knowing what each node gets.
    const first = Array.from({ length: total }, (_, shard) => this.#slotNode(shard, NONE))
    for (const node of first) this.#load(node, 1)
    for (let shard = 0; shard < total; shard++) {
      if (first[shard] !== undefined) continue
      first[shard] = this.#substitute(shard, NONE)
      this.#load(first[shard], 1)
    }
    return Promise.all(first.map((node, shard) => this.#place(shard, node)))
  }

  /** Resolves when no attempt reads the stripe's memory any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#attempts)
  }

  /** `node` is already counted in the loads. */
  async #place(shard: number, first: string | undefined): Promise<string | undefined> {
    const failed = new Set<string>()
    let node = first
    let stale = 0
    while (node !== undefined && this.#scope.reason === undefined) {
      const outcome = await this.#attempt(shard, node)
      if (outcome === 'stored') return node
      this.#load(node, -1)
      if (outcome === 'stale-map' && stale < STALE_MAP_RETRIES_MAX) {
        stale++
        await this.#refresh()
      } else {
        failed.add(node)
      }
      if (failed.size >= SHARD_PUT_NODES_MAX) return undefined
      node = this.#slotNode(shard, failed) ?? this.#substitute(shard, failed)
      this.#load(node, 1)
    }
    this.#load(node, -1)
    return undefined
  }

  /** The node of the shard's slot, if it is worth trying. */
  #slotNode(shard: number, failed: ReadonlySet<string>): string | undefined {
    const node = this.#group.slots[shard]?.node
    if (node === undefined || failed.has(node) || !this.#takesWrites(node)) return undefined
    // A node that holds several slots of the stripe is one probe, not several: once let through, always.
    if ((this.#loads.get(node) ?? 0) > 0) return node
    return this.#environment.suspicion.admits(node, 'write') ? node : undefined
  }

  #substitute(shard: number, failed: ReadonlySet<string>): string | undefined {
    const { nodes } = this.#snapshot
    const { suspicion } = this.#environment
    const live = [...nodes.values()].filter((node) => node.writable && !suspicion.suspects(node.id, 'write'))
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

  #load(node: string | undefined, change: number): void {
    if (node !== undefined) this.#loads.set(node, (this.#loads.get(node) ?? 0) + change)
  }

  async #refresh(): Promise<void> {
    const { cluster } = this.#environment
    const newer = await cluster.newerThan(this.#snapshot.epoch)
    const group = newer?.group(this.#group.id)
    // A pool that vanished from the map leaves the write as it was planned, for the nodes to refuse.
    if (newer === undefined || group === undefined) return
    this.#snapshot = newer
    this.#group = group
  }

  /** One shard to one node. Settles by the timeout whatever the transport does. */
  #attempt(shard: number, node: string): Promise<Outcome> {
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
      const cancelTimer = clock.after(SHARD_PUT_TIMEOUT_MS, () => {
        suspicion.failed(node, 'write')
        suspicion.failed(node, 'read')
        give('failed')
        controller.abort()
      })
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

const NONE: ReadonlySet<string> = new Set()
