import type { ClusterMap, NodeLiveness, ScrubProgress } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { MemberState, NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'

export interface ZoneStatus {
  readonly zone: string
  readonly member: Member
  readonly nodes: readonly NodeStatus[]
}

/** What the cluster map wants of a node or zone. */
export type Member = 'active' | 'draining' | 'lost'

export interface NodeStatus {
  readonly node: string
  /** `suspect`: takes writes, with a disk that is slow or gave errors. `lost`: will not come back, as the map says. */
  readonly state: 'up' | 'read-only' | 'suspect' | 'down' | 'lost'
  readonly member: Member
  /** Why it is suspect or takes no writes; empty while it is well. */
  readonly reason: string
  /** Since when it is down; null while it is up, or where metadata cannot tell. */
  readonly downSince: string | null
  /** Empty where it runs inside another process. */
  readonly address: string
  /** Relative capacity. */
  readonly weight: number
  /** Of all files of shards. */
  readonly usedBytes: number
  readonly freeBytes: number
  /** Of the file system. */
  readonly totalBytes: number
  /** Of shards that are live. */
  readonly liveBytes: number
  readonly shards: number
  /** Known to be unreadable there, waiting for repair. */
  readonly damagedShards: number
  /** Slots of placement groups that are its. */
  readonly slots: number
  /** Of those, such that their shards are still being brought to it. */
  readonly slotsFilling: number
  /** Slots that move away from it. */
  readonly slotsLeaving: number
  readonly scrub: ScrubStatus
}

export interface ScrubStatus {
  /** From 1; 0: none was begun. */
  readonly cycle: number
  /** Of this cycle, 0 to 100. */
  readonly percent: number
  readonly startedAt: string | null
  /** End of the last whole cycle. */
  readonly lastCompletedAt: string | null
  /** Damage found over the life of the folder. */
  readonly found: number
}

/** Every node of the map by zone, with what is known of it. */
export function zoneStatuses(map: ClusterMap, liveness: readonly NodeLiveness[]): ZoneStatus[] {
  const live = new Map(liveness.map((one) => [one.node, one]))
  const slots = slotCounts(map)
  return map.zones.map(({ id, state }) => ({
    zone: id,
    member: memberOf(state),
    nodes: map.nodes
      .filter(({ zone }) => zone === id)
      .map((node) => {
        const known = live.get(node.id)
        return {
          node: node.id,
          state: stateOf(node.state, known),
          member: memberOf(node.state),
          reason: known?.reason ?? '',
          downSince: timeText(known?.downSinceMs),
          address: known?.address ?? '',
          weight: node.weight,
          usedBytes: Number(known?.usedBytes ?? 0n),
          freeBytes: Number(known?.freeBytes ?? 0n),
          totalBytes: Number(known?.totalBytes ?? 0n),
          liveBytes: Number(known?.liveBytes ?? 0n),
          shards: Number(known?.shards ?? 0n),
          damagedShards: Number(known?.damagedShards ?? 0n),
          ...(slots.get(node.id) ?? noSlots),
          scrub: scrubStatus(known?.scrub),
        }
      }),
  }))
}

/** Slots on the way from one node to another. */
export interface MoveStatus {
  /** Empty: what was there is lost, and is rebuilt from other shards. */
  readonly from: string
  readonly to: string
  readonly slots: number
}

/** The moves that are under way, the largest first. */
export function movesUnderWay(map: ClusterMap): MoveStatus[] {
  const moves = new Map<string, MoveStatus>()
  for (const { node: to, source: from, filling } of allSlots(map)) {
    if (!filling) continue
    const key = `${from} ${to}`
    moves.set(key, { from, to, slots: (moves.get(key)?.slots ?? 0) + 1 })
  }
  return [...moves.values()].toSorted(
    (a, b) => b.slots - a.slots || a.to.localeCompare(b.to) || a.from.localeCompare(b.from),
  )
}

interface SlotCounts {
  readonly slots: number
  readonly slotsFilling: number
  readonly slotsLeaving: number
}

const noSlots: SlotCounts = { slots: 0, slotsFilling: 0, slotsLeaving: 0 }

function slotCounts(map: ClusterMap): Map<string, SlotCounts> {
  const counts = new Map<string, SlotCounts>()
  const add = (node: string, key: keyof SlotCounts) => {
    const sofar = counts.get(node) ?? noSlots
    counts.set(node, { ...sofar, [key]: sofar[key] + 1 })
  }
  for (const { node, source, filling } of allSlots(map)) {
    add(node, 'slots')
    if (filling) add(node, 'slotsFilling')
    if (source !== '') add(source, 'slotsLeaving')
  }
  return counts
}

function allSlots(map: ClusterMap) {
  return map.pools.flatMap(({ groups }) => groups.flatMap(({ slots }) => slots))
}

function memberOf(state: MemberState): Member {
  if (state === MemberState.DRAINING) return 'draining'
  return state === MemberState.LOST ? 'lost' : 'active'
}

function stateOf(state: MemberState, live: NodeLiveness | undefined): NodeStatus['state'] {
  if (state === MemberState.LOST) return 'lost'
  if (live?.up !== true) return 'down'
  if (live.condition === NodeCondition.READ_ONLY) return 'read-only'
  return live.condition === NodeCondition.SUSPECT ? 'suspect' : 'up'
}

function scrubStatus(progress: ScrubProgress | undefined): ScrubStatus {
  const done = Number(progress?.bytesDone ?? 0n)
  const total = Number(progress?.bytesTotal ?? 0n)
  return {
    cycle: Number(progress?.cycle ?? 0n),
    percent: total === 0 ? 0 : Math.min(100, Math.round((1000 * done) / total) / 10),
    startedAt: timeText(progress?.cycleStartedMs),
    lastCompletedAt: timeText(progress?.lastCompletedMs),
    found: Number(progress?.found ?? 0n),
  }
}

function timeText(ms: bigint | undefined): string | null {
  return ms === undefined || ms === 0n ? null : new Date(Number(ms)).toISOString()
}
