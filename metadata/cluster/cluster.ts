import { create } from '@bufbuild/protobuf'
import { clusterMapKey } from '../../core/keyspace/keys.ts'
import { NODE_LEASE_MS, NODE_SILENCE_MS } from '../../core/limits.ts'
import {
  type ClusterMap,
  NodeCondition,
  type NodeLiveness,
  NodeLivenessSchema,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
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
import { type Engine, FencedError } from '../engine/engine.ts'
import { required } from '../failure.ts'
import { freeze } from '../freeze.ts'
import type { Backlog } from '../partition/outbox.ts'
import { clusterMapKind, decodeRecord, encodeRecord } from '../records.ts'
import { type ClusterPlan, firstMap } from './bootstrap.ts'

/** The engine holds another cluster than the one that was asked for. */
export class WrongClusterError extends Error {
  override readonly name = 'WrongClusterError'
}

interface Heard {
  readonly liveness: NodeLiveness
  /** When the lease ends, on the monotonic clock. */
  readonly leaseEnds: number
}

/**
 * The cluster map and who is alive. The map is durable. Liveness is not: it is a lease that each node renews by its
 * heartbeat, so after a restart of this service it is known again within one heartbeat's time.
 *
 * Until a whole lease has passed since this service began to listen, silence is its own and not the nodes': it says that it
 * is unsure. It begins anew when it heard nothing from anybody for so long that it must have stood still itself.
 */
export class Cluster {
  readonly #map: ClusterMap
  readonly #clock: Clock
  readonly #backlog: () => Readonly<Backlog>
  readonly #heard = new Map<string, Heard>()
  /** Since when it has listened without a break, and when it last heard from anybody, on the monotonic clock. */
  #listeningSince: number
  #lastHeard: number

  private constructor(map: ClusterMap, clock: Clock, backlog: () => Readonly<Backlog>) {
    this.#map = freeze(map)
    this.#clock = clock
    this.#backlog = backlog
    this.#listeningSince = clock.monotonicMs()
    this.#lastHeard = this.#listeningSince
  }

  /**
   * Reads the map, or makes the first one of a new cluster.
   * @throws {WrongClusterError}
   * @throws {ClusterPlanError}
   * @throws {NewerFormatError}
   */
  static async open(
    engine: Engine,
    clusterId: string,
    plan: ClusterPlan,
    clock: Clock,
    backlog: () => Readonly<Backlog>,
  ): Promise<Cluster> {
    const map = (await readMap(engine)) ?? (await makeMap(engine, clusterId, plan))
    if (map.clusterId !== clusterId) {
      throw new WrongClusterError(`the metadata here belongs to cluster ${map.clusterId}, not ${clusterId}`)
    }
    return new Cluster(map, clock, backlog)
  }

  getCluster({ knownEpoch }: GetClusterRequest): GetClusterReply {
    this.#listen()
    const { garbage, repair } = this.#backlog()
    return create(GetClusterReplySchema, {
      ...(knownEpoch === this.#map.epoch ? {} : { map: this.#map }),
      nodes: this.#map.nodes.map(({ id }) => this.#livenessOf(id)),
      outboxBacklog: BigInt(garbage + repair),
      repairBacklog: BigInt(repair),
    })
  }

  /** Renews a node's lease. @throws {MetadataError} UNKNOWN_NODE */
  heartbeat(request: HeartbeatRequest): HeartbeatReply {
    this.#listen()
    const liveness = required(request.node, 'node')
    const node = this.#map.nodes.find(({ id }) => id === liveness.node)
    if (node === undefined) {
      const known = this.#map.nodes.map(({ id }) => id).join(', ')
      throw unknownNode(
        liveness.node,
        `the cluster map has no storage node ${JSON.stringify(liveness.node)}; it has ${known}`,
      )
    }
    if (node.zone !== request.zone) {
      throw unknownNode(
        node.id,
        `storage node ${node.id} says it is in zone ${JSON.stringify(request.zone)}; the cluster map has it in ${node.zone}`,
      )
    }
    this.#heard.set(node.id, { liveness, leaseEnds: this.#clock.monotonicMs() + NODE_LEASE_MS })
    return create(HeartbeatReplySchema, {
      epoch: this.#map.epoch,
      leaseMs: NODE_LEASE_MS,
      clusterId: this.#map.clusterId,
    })
  }

  #listen(): void {
    const now = this.#clock.monotonicMs()
    if (now - this.#lastHeard > NODE_SILENCE_MS) this.#listeningSince = now
    this.#lastHeard = now
  }

  #livenessOf(node: string): NodeLiveness {
    const heard = this.#heard.get(node)
    const unsure = this.#clock.monotonicMs() - this.#listeningSince < NODE_LEASE_MS
    if (heard === undefined) {
      return create(NodeLivenessSchema, { node, up: false, unsure, reason: 'not heard from yet' })
    }
    const { $typeName: _, ...last } = heard.liveness
    if (this.#clock.monotonicMs() < heard.leaseEnds) {
      const condition = last.condition === NodeCondition.UNSPECIFIED ? NodeCondition.WRITABLE : last.condition
      return create(NodeLivenessSchema, { ...last, up: true, unsure: false, condition })
    }
    return create(NodeLivenessSchema, { ...last, up: false, unsure, reason: 'its lease has ended' })
  }
}

async function readMap(engine: Engine): Promise<ClusterMap | undefined> {
  const bytes = await engine.get(clusterMapKey)
  return bytes === undefined ? undefined : decodeRecord(clusterMapKind, bytes)
}

async function makeMap(engine: Engine, clusterId: string, plan: ClusterPlan): Promise<ClusterMap> {
  const map = firstMap(clusterId, plan)
  const put = { key: clusterMapKey, value: encodeRecord(clusterMapKind, map) }
  try {
    await engine.commit({ fence: { key: clusterMapKey, token: undefined }, puts: [put], deletes: [] })
    return map
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    // Another process made it in between: that one counts.
    const made = await readMap(engine)
    if (made === undefined) throw error
    return made
  }
}

function unknownNode(node: string, message: string): MetadataError {
  return new MetadataError(FailureCode.UNKNOWN_NODE, message, { Node: node })
}
