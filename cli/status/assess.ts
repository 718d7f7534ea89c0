import { parseCode, type Code } from '../../core/erasure/code.ts'
import { isReadable } from '../../core/erasure/repair.ts'
import { layoutWarnings as warningsOf } from '../../core/placement/topology/risk.ts'
import { zoneLoss, type NodeState } from '../../core/placement/zone-loss.ts'
import type { ClusterMap, NodeLiveness, Pool, Slot } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { MemberState, PoolState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type {
  GetBackupStateReply,
  GetPartitionsReply,
  GetRiskReply,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { assessPartitions, type PartitionsStatus } from '../partition/assess.ts'
import { plural } from '../plural.ts'
import {
  journalNotes,
  journalStatus,
  restoreStatuses,
  type JournalStatus,
  type RestoreStatus,
} from './backup-state.ts'
import { couldWrite } from './could-write.ts'
import { metadataNotes, metadataProblems } from './metadata-state.ts'
import { movesUnderWay, zoneStatuses, type MoveStatus, type NodeStatus, type ZoneStatus } from './nodes.ts'
import { riskStatus, type RiskStatus } from './risk.ts'

/** The state of a cluster, as `ashlar status --json` and `/v1/status` show it. Sizes are bytes, times ISO 8601. */
export interface ClusterStatus {
  /**
   * `degraded`: a node is down, suspect or takes no writes, blobs lack shards, or shards wait to be repaired. Slots that
   * move from one healthy node to another are none of that.
   */
  readonly health: 'healthy' | 'degraded'
  readonly clusterId: string
  /** Grows with every change of nodes, pools or slots. */
  readonly epoch: number
  /** When metadata said all this, by the clock of who asked. */
  readonly asOf: string
  readonly ageSeconds: number
  readonly zones: readonly ZoneStatus[]
  readonly pools: readonly PoolStatus[]
  readonly moves: readonly MoveStatus[]
  /** The risk ledger; null where metadata does not keep one. */
  readonly risk: RiskStatus | null
  /** Restores of the metadata that nobody has accepted yet. */
  readonly restores: readonly RestoreStatus[]
  /** The copy of the metadata on the storage nodes; null where the engine ships none. */
  readonly journal: JournalStatus | null
  /** How metadata is divided, and among whom; null where it cannot tell. */
  readonly metadata: PartitionsStatus | null
  /** Objects whose shards wait to be put back to full redundancy. */
  readonly repairBacklog: number
  /** Consequences of commits (garbage, repair) that wait for a worker. */
  readonly outboxBacklog: number
  /** What makes it degraded, a sentence each. */
  readonly problems: readonly string[]
  /** What it cannot survive even when whole, a sentence each. */
  readonly warnings: readonly string[]
  /** What is worth knowing and no problem, a sentence each. */
  readonly notes: readonly string[]
}

export interface PoolStatus {
  readonly pool: string
  readonly poolId: number
  readonly code: string
  /** `retiring`: another pool took its place, and what is here is re-encoded there. */
  readonly state: 'active' | 'retiring'
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

/** What metadata says about the cluster (`GetClusterReply` and `GetRiskReply`). */
export interface ClusterView {
  readonly map: ClusterMap
  readonly nodes: readonly NodeLiveness[]
  readonly repairBacklog: bigint
  readonly outboxBacklog: bigint
  readonly risk: GetRiskReply | undefined
  /** Undefined where the service is too old to say. */
  readonly backup?: GetBackupStateReply | undefined
  readonly partitions?: GetPartitionsReply | undefined
  /** Unix milliseconds when metadata was asked. */
  readonly askedMs: number
}

/** @param nowMs by the clock of `askedMs` */
export function assessCluster(view: ClusterView, nowMs: number): ClusterStatus {
  const { map, repairBacklog, outboxBacklog, askedMs } = view
  const zones = zoneStatuses(map, view.nodes)
  const nodes = zones.flatMap(({ zone, nodes: those }) => those.map((node) => ({ zone, ...node })))
  const states = nodes.map(({ node, zone, state }) => ({ id: node, zone, ...can(state) }))
  const pools = map.pools.map((pool) => poolStatus(pool, states))
  const risk = view.risk === undefined ? null : riskStatus(view.risk)
  const moves = movesUnderWay(map)
  const metadata = view.partitions === undefined ? null : assessPartitions(view.partitions, askedMs)
  const problems = [...nodeProblems(nodes), ...poolProblems(pools, risk)]
  if (repairBacklog > 0n) problems.push(`${repairBacklog} objects wait for lost shards to be repaired`)
  const { reduced, notes } = reducedRedundancy(
    risk,
    problems.length > 0 || moves.some(({ from }) => from === ''),
  )
  problems.push(...reduced, ...(metadata === null ? [] : metadataProblems(metadata)))
  return {
    health: problems.length === 0 ? 'healthy' : 'degraded',
    clusterId: map.clusterId,
    epoch: Number(map.epoch),
    asOf: new Date(askedMs).toISOString(),
    ageSeconds: Math.max(0, Math.round((nowMs - askedMs) / 100) / 10),
    zones,
    pools,
    moves,
    risk,
    restores: restoreStatuses(view.backup),
    journal: journalStatus(view.backup),
    metadata,
    repairBacklog: Number(repairBacklog),
    outboxBacklog: Number(outboxBacklog),
    problems,
    warnings: layoutWarnings(map),
    notes: [
      ...notes,
      ...silence(risk),
      ...journalNotes(journalStatus(view.backup)),
      ...(metadata === null ? [] : metadataNotes(metadata)),
    ],
  }
}

/** The limits of the cluster's layout, see core/placement/topology/risk.ts. */
export function layoutWarnings({ nodes, pools }: ClusterMap): string[] {
  return warningsOf({
    nodes: nodes.map(({ id, zone, state }) => {
      return { id, zone, state: state === MemberState.LOST ? 'lost' : 'active' }
    }),
    pools: pools.map(({ name, code, groups, state }) => {
      return { name, code, groups, state: state === PoolState.RETIRING ? 'retiring' : 'active' }
    }),
  })
}

interface State extends NodeState {
  readonly writable: boolean
}

/** What a node in that state does. */
function can(state: NodeStatus['state']): { up: boolean; writable: boolean } {
  const up = state !== 'down' && state !== 'lost'
  return { up, writable: up && state !== 'read-only' }
}

function poolStatus(pool: Pool, states: readonly State[]): PoolStatus {
  const code = parseCode(pool.code)
  const up = new Set(states.filter((node) => node.up).map(({ id }) => id))
  const layout = layoutOf(pool)
  return {
    pool: pool.name,
    poolId: pool.id,
    code: pool.code,
    state: pool.state === PoolState.RETIRING ? 'retiring' : 'active',
    storageClass: pool.storageClass,
    objectBytesMax: pool.objectBytesMax === 0n ? null : Number(pool.objectBytesMax),
    placementGroups: pool.groups.length,
    overhead: code.total / code.k,
    readable: layout.groups.every((slots) =>
      isReadable(
        code,
        shardsWhere(slots, (id) => !up.has(id)),
      ),
    ),
    writable: pool.state === PoolState.RETIRING || couldWrite(pool, states),
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

interface Layout {
  readonly code: Code
  readonly m: number
  readonly groups: string[][]
}

/** Where the shards are for certain now: of a slot that moves at its source, and of one that is rebuilt nowhere. */
function layoutOf(pool: Pool): Layout {
  return layoutBy(pool, ({ node, source, filling }) => (filling ? source : node))
}

function layoutBy(pool: Pool, place: (slot: Slot) => string): Layout {
  const code = parseCode(pool.code)
  return { code, m: code.m, groups: pool.groups.map(({ slots }) => slots.map(place)) }
}

/** The shards of a group whose nodes are such. */
function shardsWhere(slots: readonly string[], such: (node: string) => boolean): number[] {
  return slots.flatMap((node, shard) => (such(node) ? shard : []))
}

function nodeProblems(nodes: readonly NodeStatus[]): string[] {
  return nodes.flatMap(({ node, state, reason, slots, damagedShards }) => {
    const problems: string[] = []
    if (state === 'lost') {
      if (slots > 0) problems.push(`${node} is lost, and ${plural(slots, 'slot')} found no other node yet`)
    } else if (state !== 'up') {
      problems.push(`${node} is ${state}${reason === '' ? '' : `: ${reason}`}`)
    }
    if (damagedShards > 0) {
      problems.push(`${plural(damagedShards, 'damaged shard')} on ${node} to be repaired`)
    }
    return problems
  })
}

function poolProblems(pools: readonly PoolStatus[], risk: RiskStatus | null): string[] {
  return pools.flatMap(({ pool, poolId, readable, writable }) => {
    const counted = risk?.pools.find((one) => one.poolId === poolId)
    const problems: string[] = []
    // The map says what could be unreadable; the ledger knows whether anything is there.
    if (counted !== undefined && counted.unreadable > 0) {
      problems.push(`${plural(counted.unreadable, 'blob')} of pool ${pool} cannot be read now`)
    } else if (!readable && (counted === undefined || (risk?.silent.length ?? 0) > 0)) {
      problems.push(`some objects of pool ${pool} cannot be read now`)
    }
    if (!writable) problems.push(`some objects of pool ${pool} cannot be written now`)
    return problems
  })
}

/**
 * Blobs that lack shards. With no node down, damaged or being rebuilt, they are most likely writes that one node has counted
 * and another not yet: no problem then, but worth a note.
 */
function reducedRedundancy(
  risk: RiskStatus | null,
  explained: boolean,
): { reduced: string[]; notes: string[] } {
  const lines = (risk?.pools ?? [])
    .filter(({ reduced }) => reduced > 0)
    .map(
      ({ pool, code, reduced }) =>
        `${plural(reduced, 'blob')} of pool ${pool} with fewer shards than ${code} makes`,
    )
  if (explained) return { reduced: lines, notes: [] }
  const why = 'writes under way, or shards that nobody has missed yet'
  return { reduced: [], notes: lines.map((line) => `${line}: ${why}`) }
}

function silence(risk: RiskStatus | null): string[] {
  if (risk === null || risk.silent.length === 0) return []
  return [`what ${risk.silent.join(', ')} may hold is not counted: not heard since metadata started`]
}
