import { parseCode } from '../../core/erasure/code.ts'
import { shardsToSpare } from '../../core/erasure/repair.ts'
import type { GetRiskReply, PoolRisk, SpareLine, WorkReport } from '../../proto/gen/ashlar/v1/metadata_pb.js'

/** The risk ledger as `ashlar status --json` and the admin interface show it. Counts are of blobs; an object is one or more. */
export interface RiskStatus {
  /** When metadata counted, by its clock. */
  readonly at: string
  readonly pools: readonly PoolRiskStatus[]
  /** Nodes whose shards are not counted, because they have not told them since metadata started. */
  readonly silent: readonly string[]
  readonly repair: {
    /** Estimated. */
    readonly bytesWaiting: number
    readonly bytesPerSecond: number
    /** At the present rate; null: nothing to do, or no rate yet. */
    readonly secondsLeft: number | null
  }
  /** What the workers are at. */
  readonly work: readonly WorkStatus[]
}

export interface PoolRiskStatus {
  readonly pool: string
  readonly poolId: number
  readonly code: string
  readonly blobs: number
  /** Shards that a whole blob can lose. */
  readonly spareWhenWhole: number
  /** Blobs by the shards they can still lose, whichever, the least first; below 0 they cannot be read. */
  readonly spare: readonly SpareStatus[]
  readonly unreadable: number
  /** Blobs that can be read and lack a shard. */
  readonly reduced: number
  readonly zones: readonly ZoneRiskStatus[]
}

export interface SpareStatus {
  readonly spare: number
  readonly blobs: number
}

/** What it would be if the zone went now, with what is down already. */
export interface ZoneRiskStatus {
  readonly zone: string
  readonly unreadable: number
  /** Of those, lost even if every other node that is down came back. */
  readonly lost: number
  readonly spare: readonly SpareStatus[]
}

export interface WorkStatus {
  readonly kind: string
  readonly itemsWaiting: number
  readonly itemsDone: number
  readonly bytesWaiting: number
  readonly bytesDone: number
  readonly bytesPerSecond: number
  readonly now: string
}

/** The ledger in the numbers and words of the status. */
export function riskStatus(reply: GetRiskReply): RiskStatus {
  const work = reply.work.map(workStatus)
  return {
    at: new Date(Number(reply.atMs)).toISOString(),
    pools: reply.pools.map(poolRiskStatus),
    silent: reply.silent,
    repair: {
      bytesWaiting: Number(reply.repairBytesWaiting),
      bytesPerSecond: work.reduce((total, { bytesPerSecond }) => total + bytesPerSecond, 0),
      secondsLeft: reply.repairSecondsLeft === 0n ? null : Number(reply.repairSecondsLeft),
    },
    work,
  }
}

function poolRiskStatus({ pool, name, code, blobs, spare, zones }: PoolRisk): PoolRiskStatus {
  const spareWhenWhole = shardsToSpare(parseCode(code), [])
  const lines = spareStatus(spare)
  return {
    pool: name,
    poolId: pool,
    code,
    blobs: Number(blobs),
    spareWhenWhole,
    spare: lines,
    unreadable: sum(lines.filter((line) => line.spare < 0)),
    reduced: sum(lines.filter((line) => line.spare >= 0 && line.spare < spareWhenWhole)),
    zones: zones.map((zone) => ({
      zone: zone.zone,
      unreadable: Number(zone.unreadable),
      lost: Number(zone.lost),
      spare: spareStatus(zone.spare),
    })),
  }
}

function spareStatus(lines: readonly SpareLine[]): SpareStatus[] {
  return lines
    .map(({ spare, blobs }) => ({ spare, blobs: Number(blobs) }))
    .toSorted((a, b) => a.spare - b.spare)
}

function sum(lines: readonly SpareStatus[]): number {
  return lines.reduce((total, { blobs }) => total + blobs, 0)
}

function workStatus(report: WorkReport): WorkStatus {
  return {
    kind: report.kind,
    itemsWaiting: Number(report.itemsWaiting),
    itemsDone: Number(report.itemsDone),
    bytesWaiting: Number(report.bytesWaiting),
    bytesDone: Number(report.bytesDone),
    bytesPerSecond: Number(report.bytesPerSecond),
    now: report.now,
  }
}
