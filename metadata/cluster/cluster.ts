import { create } from '@bufbuild/protobuf'
import { blobsByPool } from '../../core/ledger/inventory.ts'
import { NODE_LEASE_MS, POOL_QUIET_MS } from '../../core/limits.ts'
import { poolOfGroup } from '../../core/placement/group.ts'
import { applyChange } from '../../core/placement/topology/change.ts'
import {
  type NodeFacts,
  type TopologyChange,
  type TopologyContext,
  type TopologyMap,
  TopologyRefused,
} from '../../core/placement/topology/model.ts'
import { type ClusterMap, MemberState, NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
  type ChangeClusterReply,
  ChangeClusterReplySchema,
  type ChangeClusterRequest,
  FailureCode,
  type GetClusterReply,
  GetClusterReplySchema,
  type GetClusterRequest,
  type HeartbeatReply,
  HeartbeatReplySchema,
  type HeartbeatRequest,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { required } from '../failure.ts'
import type { Backlog } from '../partition/outbox.ts'
import type { Partition } from '../partition/partition.ts'
import { type ClusterPlan, firstMap } from './bootstrap.ts'
import { LivenessTable } from './liveness.ts'
import { MapStore } from './map-store.ts'
import { changeOf, fromTopology, toTopology } from './topology-map.ts'

/** Processes beside this one that commit blobs. */
export interface CommittingOthers {
  /** There are none. */
  readonly none: boolean
  /** Whether all of them have said that they admit nothing into a pool. */
  haveClosed(pool: number): boolean
}

export interface ChangeOptions {
  /** 0: whatever it is now. */
  readonly expectedEpoch?: bigint
  readonly dryRun?: boolean
  readonly force?: boolean
}

/**
 * The cluster map and who is alive. The map is durable, and changed by one change at a time, each with an epoch of its own.
 * Liveness is not: it is a lease that each node renews by its heartbeat.
 */
export class Cluster {
  readonly liveness: LivenessTable
  readonly #store: MapStore
  readonly #backlog: () => Readonly<Backlog>
  readonly #clock: Clock
  #groups: { map: ClusterMap; ids: ReadonlySet<number> } | undefined
  /** When a commit into a pool was admitted last, on the monotonic clock; by pool id. */
  readonly #admittedMs = new Map<number, number>()
  /** A pool that is being removed. Kept until the next change. */
  #closedPool: number | undefined
  /** Pools that other processes are to admit no commits into, and since when all of them have been known not to. */
  readonly #closing = new Map<number, number | undefined>()
  /** Asks the other processes that commit blobs. */
  #others: CommittingOthers | undefined
  #topology: { of: ClusterMap; map: TopologyMap } | undefined
  #changing: Promise<unknown> = Promise.resolve()

  private constructor(store: MapStore, clock: Clock, backlog: () => Readonly<Backlog>) {
    this.#store = store
    this.#clock = clock
    this.#backlog = backlog
    this.liveness = new LivenessTable(clock)
  }

  /** Reads the map, or makes the first one of a new cluster. @throws {ClusterPlanError} */
  static async open(
    root: Partition,
    clusterId: string,
    plan: ClusterPlan,
    clock: Clock,
    backlog: () => Readonly<Backlog>,
  ): Promise<Cluster> {
    const store = await MapStore.open(root, () => firstMap(clusterId, plan))
    return new Cluster(store, clock, backlog)
  }

  /** From now on, pools are removed only when other processes commit nothing into them either. */
  goBy(others: CommittingOthers): void {
    this.#others = others
  }

  /** Pools that are being removed, into which nobody is to commit anything. */
  get closedPools(): number[] {
    return [...this.#closing.keys()]
  }

  /** Frozen; another one after each change. */
  get map(): ClusterMap {
    return this.#store.map
  }

  /** The map as planning sees it. */
  get topology(): TopologyMap {
    const { map } = this
    if (this.#topology?.of !== map) this.#topology = { of: map, map: toTopology(map) }
    return this.#topology.map
  }

  /**
   * Whether blobs of this placement group may be committed: some pool has it, and is not being removed. Noted, for the nodes may
   * not have said yet that they hold the blob.
   */
  admits(group: number): boolean {
    const pool = poolOfGroup(group)
    if (pool === this.#closedPool || !this.#hasGroup(group)) return false
    this.#admittedMs.set(pool, this.#clock.monotonicMs())
    return true
  }

  #hasGroup(group: number): boolean {
    const { map } = this
    if (this.#groups?.map !== map) {
      this.#groups = { map, ids: new Set(map.pools.flatMap(({ groups }) => groups.map(({ id }) => id))) }
    }
    return this.#groups.ids.has(group)
  }

  getCluster({ knownEpoch }: GetClusterRequest): GetClusterReply {
    this.liveness.listen()
    const { garbage, repair } = this.#backlog()
    return create(GetClusterReplySchema, {
      ...(knownEpoch === this.map.epoch ? {} : { map: this.map }),
      nodes: this.map.nodes.map(({ id }) => this.liveness.of(id)),
      outboxBacklog: BigInt(garbage + repair),
      repairBacklog: BigInt(repair),
    })
  }

  /** Renews a node's lease. @throws {MetadataError} UNKNOWN_NODE */
  heartbeat(request: HeartbeatRequest): HeartbeatReply {
    this.liveness.listen()
    const liveness = required(request.node, 'node')
    const node = this.map.nodes.find(({ id }) => id === liveness.node)
    if (node === undefined) {
      const known = this.map.nodes.map(({ id }) => id).join(', ')
      throw unknownNode(
        liveness.node,
        `the cluster map has no storage node ${JSON.stringify(liveness.node)}; it has ${known}`,
      )
    }
    // What it holds is named by other records: to those here all of it would be orphans, to be removed.
    if (request.clusterId !== '' && request.clusterId !== this.map.clusterId) {
      throw unknownNode(
        node.id,
        `the folder of storage node ${node.id} belongs to cluster ${request.clusterId}, and this is ${this.map.clusterId}`,
      )
    }
    if (node.zone !== request.zone) {
      throw unknownNode(
        node.id,
        `storage node ${node.id} says it is in zone ${JSON.stringify(request.zone)}; the cluster map has it in ${node.zone}`,
      )
    }
    this.liveness.renew(liveness, request.inventory)
    return create(HeartbeatReplySchema, {
      epoch: this.map.epoch,
      leaseMs: NODE_LEASE_MS,
      clusterId: this.map.clusterId,
      inventoryVersion: this.liveness.inventory(node.id)?.version ?? 0n,
    })
  }

  /** @throws {MetadataError} TOPOLOGY_REFUSED, STALE_EPOCH, INVALID_REQUEST, UNAVAILABLE */
  async changeCluster(request: ChangeClusterRequest): Promise<ChangeClusterReply> {
    this.liveness.listen()
    return this.change(changeOf(request), request)
  }

  /** Makes a change, after those that are under way. @throws {MetadataError} as {@link changeCluster} */
  async change(change: TopologyChange, options: ChangeOptions = {}): Promise<ChangeClusterReply> {
    const changed = this.#changing.then(() => this.#change(change, options))
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  async #change(
    change: TopologyChange,
    { expectedEpoch = 0n, dryRun = false, force = false }: ChangeOptions,
  ): Promise<ChangeClusterReply> {
    const before = this.map
    if (expectedEpoch !== 0n && expectedEpoch !== before.epoch) {
      const message = `the cluster map is at epoch ${before.epoch} by now, not ${expectedEpoch}`
      throw new MetadataError(FailureCode.STALE_EPOCH, message)
    }
    const from = this.topology
    this.#closedPool = undefined
    if (change.kind === 'remove-pool') this.#assertQuiet(change.pool)
    const { map, moves, warnings } = planned(() => applyChange(from, change, this.#context(force)))
    const next = map === from ? before : fromTopology(before, map)
    if (!dryRun && next !== before) {
      // No commit is admitted from here on, though the map should not say so before it is durable.
      if (change.kind === 'remove-pool') this.#closedPool = change.pool
      await this.#store.replace(next)
      if (change.kind === 'remove-pool') this.#closing.delete(change.pool)
      for (const { id } of before.nodes) {
        if (!next.nodes.some((node) => node.id === id)) this.liveness.forget(id)
      }
    }
    return create(ChangeClusterReplySchema, { map: next, moves: [...moves], warnings: [...warnings] })
  }

  /** What was committed into the pool is in the inventories by now. @throws {MetadataError} TOPOLOGY_REFUSED */
  #assertQuiet(pool: number): void {
    this.#assertClosed(pool)
    const admittedMs = this.#admittedMs.get(pool) ?? Number.NEGATIVE_INFINITY
    if (this.#clock.monotonicMs() - admittedMs >= POOL_QUIET_MS) return
    const message = `pool ${pool} was written to a moment ago: it goes ${POOL_QUIET_MS / 1000} s after the last write`
    throw new MetadataError(FailureCode.TOPOLOGY_REFUSED, message)
  }

  /** @throws {MetadataError} TOPOLOGY_REFUSED until other processes have been closing the pool for long enough */
  #assertClosed(pool: number): void {
    if (this.#others === undefined) return
    const now = this.#clock.monotonicMs()
    const since = this.#others.haveClosed(pool) ? (this.#closing.get(pool) ?? now) : undefined
    this.#closing.set(pool, since)
    if (since !== undefined && now - since >= POOL_QUIET_MS) return
    if (since !== undefined && this.#others.none) return
    const message = `pool ${pool} is being closed on all metadata processes: it goes ${POOL_QUIET_MS / 1000} s after that`
    throw new MetadataError(FailureCode.TOPOLOGY_REFUSED, message)
  }

  #context(force: boolean): TopologyContext {
    return {
      force,
      facts: new Map(this.map.nodes.map(({ id }) => [id, this.#factsOf(id)])),
      blobs: blobsByPool(this.map.nodes.map(({ id }) => this.liveness.inventory(id)?.lines ?? [])),
      silent: this.silent(),
    }
  }

  #factsOf(node: string): NodeFacts {
    const { up, unsure, condition, shards } = this.liveness.of(node)
    const heard = this.liveness.heard(node)
    return {
      liveness: up ? 'up' : unsure ? 'unknown' : 'down',
      writable: condition !== NodeCondition.READ_ONLY,
      shards: heard ? Number(shards) : undefined,
    }
  }

  /** Nodes that are not lost and have not said what they hold. */
  silent(): string[] {
    return this.map.nodes
      .filter(({ id, state }) => state !== MemberState.LOST && this.liveness.inventory(id) === undefined)
      .map(({ id }) => id)
  }
}

function planned<T>(plan: () => T): T {
  try {
    return plan()
  } catch (error) {
    if (error instanceof TopologyRefused) {
      throw new MetadataError(FailureCode.TOPOLOGY_REFUSED, error.message)
    }
    throw error
  }
}

function unknownNode(node: string, message: string): MetadataError {
  return new MetadataError(FailureCode.UNKNOWN_NODE, message, { Node: node })
}
