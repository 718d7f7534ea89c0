import { parseCode } from '../../core/erasure/code.ts'
import { zoneLoss, type NodeState } from '../../core/placement/zone-loss.ts'
import type { ClusterMap, NodeLiveness, Pool, Zone } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { plural } from '../plural.ts'
import { couldWrite } from './could-write.ts'

/** The state of a cluster, as `ashlar status --json` prints it. Sizes are bytes. */
export interface ClusterStatus {
  /** `degraded`: a node is down or takes no writes, or shards wait to be repaired. */
  readonly health: 'healthy' | 'degraded'
  readonly clusterId: string
  /** Grows with every change of nodes, pools or slots. */
  readonly epoch: number
  readonly zones: readonly ZoneStatus[]
  readonly pools: readonly PoolStatus[]
  /** Objects whose shards wait to be put back to full redundancy. */
  readonly repairBacklog: number
  /** Consequences of commits (garbage, repair) that wait for a worker. */
  readonly outboxBacklog: number
  /** What makes it degraded, a sentence each. */
  readonly problems: readonly string[]
  /** What it cannot survive even when whole, a sentence each. */
  readonly warnings: readonly string[]
}

export interface ZoneStatus {
  readonly zone: string
  readonly nodes: readonly NodeStatus[]
}

export interface NodeStatus {
  readonly node: string
  /** A suspect node takes writes, but its disk is not to be relied on. */
  readonly state: 'up' | 'suspect' | 'read-only' | 'down'
  /** Why it takes no writes, or is suspect; empty otherwise. */
  readonly reason: string
  /** Empty where it runs inside another process. */
  readonly address: string
  readonly usedBytes: number
  readonly freeBytes: number
}

export interface PoolStatus {
  readonly pool: string
  readonly code: string
  readonly storageClass: string
  /** Objects up to this size go here; null: of any size. */
  readonly objectBytesMax: number | null
  readonly placementGroups: number
  /** Bytes stored for each byte of an object. */
  readonly overhead: number
  /** Every object can be read now. */
  readonly readable: boolean
  /** Every object can be written now, with one more node to lose. */
  readonly writable: boolean
  /** What the loss of each zone would do now, nodes that are down already included. */
  readonly zoneLoss: readonly PoolZoneLoss[]
}

export interface PoolZoneLoss {
  readonly zone: string
  /** Most shards that any stripe would lack. */
  readonly shardsLost: number
  readonly readable: boolean
  readonly writable: boolean
  /** Still readable if any one more node were lost on top. */
  readonly survivesOneMoreNode: boolean
}

/** What metadata says about the cluster (`GetClusterReply`). */
export interface ClusterView {
  readonly map: ClusterMap
  readonly nodes: readonly NodeLiveness[]
  readonly repairBacklog: bigint
  readonly outboxBacklog: bigint
}

export function assessCluster({
  map,
  nodes: liveness,
  repairBacklog,
  outboxBacklog,
}: ClusterView): ClusterStatus {
  const live = new Map(liveness.map((one) => [one.node, one]))
  const states = map.nodes.map(({ id, zone }) => ({ id, zone, ...stateOf(live.get(id)) }))
  const zones = map.zones.map((zone) => zoneStatus(zone, states, live))
  const pools = map.pools.map((pool) => poolStatus(pool, states))
  const problems = [...nodeProblems(zones), ...poolProblems(pools)]
  if (repairBacklog > 0n) problems.push(`${repairBacklog} objects wait for lost shards to be repaired`)
  return {
    health: problems.length === 0 ? 'healthy' : 'degraded',
    clusterId: map.clusterId,
    epoch: Number(map.epoch),
    zones,
    pools,
    repairBacklog: Number(repairBacklog),
    outboxBacklog: Number(outboxBacklog),
    problems,
    warnings: layoutWarnings(map),
  }
}

/**
 * What the cluster could not survive if every node of it were up: the limits of its layout, which only more nodes or zones
 * or another code would lift.
 */
export function layoutWarnings(map: ClusterMap): string[] {
  const whole = map.nodes.map(({ id, zone }) => ({ id, zone, up: true, writable: true }))
  const warnings: string[] = []
  for (const pool of map.pools) {
    const { total, m } = parseCode(pool.code)
    if (whole.length < total) {
      warnings.push(
        `${pool.code} cuts a stripe into ${total} shards for ${plural(whole.length, 'node')}: some nodes hold several`,
      )
    }
    const most = mostOnOneNode(pool)
    if (most > m) {
      warnings.push(`the loss of a single node would make objects of pool ${pool.name} unreadable`)
      continue
    }
    const fatal = zoneLoss(layoutOf(pool), whole).filter(({ survives }) => !survives)
    if (fatal.length > 0) {
      const named = fatal.map(({ zone }) => zone).join(', ')
      warnings.push(`the loss of a zone (${named}) would make objects of pool ${pool.name} unreadable`)
    }
  }
  return warnings
}

interface State extends NodeState {
  readonly writable: boolean
}

function stateOf(live: NodeLiveness | undefined): { up: boolean; writable: boolean } {
  const up = live?.up === true
  return { up, writable: up && live.condition !== NodeCondition.READ_ONLY }
}

function isSuspect(live: NodeLiveness | undefined): boolean {
  return live?.condition === NodeCondition.SUSPECT
}

function zoneStatus(
  { id }: Zone,
  states: readonly State[],
  live: ReadonlyMap<string, NodeLiveness>,
): ZoneStatus {
  const nodes = states.filter(({ zone }) => zone === id)
  return {
    zone: id,
    nodes: nodes.map((node): NodeStatus => {
      const known = live.get(node.id)
      return {
        node: node.id,
        state: node.writable ? (isSuspect(known) ? 'suspect' : 'up') : node.up ? 'read-only' : 'down',
        reason: known?.reason ?? '',
        address: known?.address ?? '',
        usedBytes: Number(known?.usedBytes ?? 0n),
        freeBytes: Number(known?.freeBytes ?? 0n),
      }
    }),
  }
}

function poolStatus(pool: Pool, states: readonly State[]): PoolStatus {
  const { k, m, total } = parseCode(pool.code)
  const up = new Set(states.filter((node) => node.up).map(({ id }) => id))
  const layout = layoutOf(pool)
  return {
    pool: pool.name,
    code: pool.code,
    storageClass: pool.storageClass,
    objectBytesMax: pool.objectBytesMax === 0n ? null : Number(pool.objectBytesMax),
    placementGroups: pool.groups.length,
    overhead: total / k,
    readable: layout.groups.every((slots) => slots.filter((id) => !up.has(id)).length <= m),
    writable: couldWrite(pool, states),
    zoneLoss: zoneLoss(layout, states).map(({ zone, shardsLostMax, survives, survivesOneMoreNode }) => ({
      zone,
      shardsLost: shardsLostMax,
      readable: survives,
      writable: couldWrite(
        pool,
        states.filter((node) => node.zone !== zone),
      ),
      survivesOneMoreNode,
    })),
  }
}

function layoutOf(pool: Pool): { m: number; groups: string[][] } {
  const { m } = parseCode(pool.code)
  return { m, groups: pool.groups.map(({ slots }) => slots.map(({ node }) => node)) }
}

function mostOnOneNode(pool: Pool): number {
  const counts = layoutOf(pool).groups.flatMap((slots) =>
    slots.map((node) => slots.filter((other) => other === node).length),
  )
  return Math.max(0, ...counts)
}

function nodeProblems(zones: readonly ZoneStatus[]): string[] {
  return zones.flatMap(({ nodes }) =>
    nodes
      .filter(({ state }) => state !== 'up')
      .map(({ node, state, reason }) => `${node} is ${state}${reason === '' ? '' : `: ${reason}`}`),
  )
}

function poolProblems(pools: readonly PoolStatus[]): string[] {
  return pools.flatMap(({ pool, readable, writable }) => [
    ...(readable ? [] : [`some objects of pool ${pool} cannot be read now`]),
    ...(writable ? [] : [`some objects of pool ${pool} cannot be written now`]),
  ])
}
