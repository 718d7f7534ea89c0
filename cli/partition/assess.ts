import type { GetPartitionsReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { AdmissionGateState, Position, ProcessState } from '../../proto/gen/ashlar/v1/partitions_pb.js'

/** Seconds over which a rate is told. */
const RATE_SECONDS = 10

/** How metadata is divided, for people and as JSON. */
export interface PartitionsStatus {
  readonly version: number
  readonly rootOwner: string | null
  readonly coordinationEngine: string
  readonly partitions: readonly PartitionStatus[]
  readonly members: readonly MemberStatus[]
  readonly engines: readonly EngineStatus[]
  /** What should be done about partitions, and cannot be. */
  readonly obstacles: readonly PartitionObstacle[]
}

/** What is null is not known: nobody has told the coordinator yet. */
export interface PartitionStatus {
  readonly id: number
  /** Inclusive. */
  readonly start: PlainPosition
  /** Exclusive; null: to the end of everything. */
  readonly end: PlainPosition | null
  readonly engine: string
  readonly owner: string | null
  readonly outboxes: readonly number[]
  readonly writesPerSecond: number | null
  readonly readsPerSecond: number | null
  /** Requests beyond the rate it is held to, since it is what it is. */
  readonly refused: number | null
  /** Tasks. */
  readonly garbageWaiting: number | null
  readonly repairsWaiting: number | null
  /** Estimated. */
  readonly entries: number | null
  readonly bytes: number | null
}

export interface MemberStatus {
  readonly id: string
  readonly address: string
  readonly state: 'up' | 'leaving'
  readonly root: boolean
  readonly partitions: number
  readonly engines: readonly string[]
  readonly uptimeSeconds: number
  readonly writes: GateStatus | null
  readonly reads: GateStatus | null
  readonly commitHolds: CommitHoldsStatus | null
}

/** Commits that a process held for backups of several engines, since it started. */
export interface CommitHoldsStatus {
  readonly holds: number
  readonly seconds: number
  /** Of those, such that nobody ended in time. */
  readonly expired: number
}

/** Requests that a process has in work, how many it takes on, and those it has refused since it started. */
export interface GateStatus {
  readonly inFlight: number
  readonly bound: number
  readonly refused: number
}

export interface EngineStatus {
  readonly id: string
  /** `level`, `postgres`, `etcd`; empty: not known. */
  readonly kind: string
  readonly partitions: number
  /** Null where the engine has no bound of its own. */
  readonly usedBytes: number | null
  readonly quotaBytes: number | null
}

export interface PartitionObstacle {
  readonly partition: number
  /** `single-key`, `too-few-samples`, `no-node`, `indivisible` or `too-many-partitions`. */
  readonly reason: string
}

export interface PlainPosition {
  readonly bucket: string
  readonly key: string
}

/** @param nowMs Unix time */
export function assessPartitions(reply: GetPartitionsReply, nowMs: number): PartitionsStatus {
  const { map, members, loads, processes, obstacles } = reply
  const partitions = map?.partitions ?? []
  return {
    version: Number(map?.version ?? 0n),
    rootOwner: named(map?.rootOwner),
    coordinationEngine: map?.coordinationEngine ?? '',
    partitions: partitions.map(({ id, start, engine, owner, outboxes }, index) => {
      const load = loads.find((one) => one.id === id)
      const next = partitions[index + 1]
      return {
        id: Number(id),
        start: plain(start),
        end: next === undefined ? null : plain(next.start),
        engine,
        owner: named(owner),
        outboxes: outboxes.map(Number),
        writesPerSecond: lately(load?.writes),
        readsPerSecond: lately(load?.reads),
        refused: numberOf(load?.refused),
        garbageWaiting: numberOf(load?.garbageWaiting),
        repairsWaiting: numberOf(load?.repairsWaiting),
        entries: numberOf(load?.entries),
        bytes: numberOf(load?.bytes),
      }
    }),
    members: members.map(({ id, address, leaving, engines, startedMs }) => ({
      ...stateOf(processes.find(({ node }) => node === id)),
      id,
      address,
      state: leaving ? 'leaving' : 'up',
      root: map?.rootOwner === id,
      partitions: partitions.filter(({ owner }) => owner === id).length,
      engines,
      uptimeSeconds: Math.max(0, Math.round((nowMs - Number(startedMs)) / 1000)),
    })),
    engines: engineStatuses(reply),
    obstacles: obstacles.map(({ id, reason }) => ({ partition: Number(id), reason })),
  }
}

/** All engines that partitions lie in or processes reach, the coordination engine first. */
function engineStatuses({ map, members, processes }: GetPartitionsReply): EngineStatus[] {
  const partitions = map?.partitions ?? []
  const ids = new Set([
    map?.coordinationEngine ?? '',
    ...partitions.map(({ engine }) => engine),
    ...members.flatMap(({ engines }) => engines),
  ])
  ids.delete('')
  const told = processes.flatMap(({ engines }) => engines)
  return [...ids].map((id) => {
    const same = told.filter((engine) => engine.id === id)
    const used = same.flatMap(({ usedBytes }) => (usedBytes === undefined ? [] : Number(usedBytes)))
    const quotas = same.flatMap(({ quotaBytes }) => (quotaBytes === undefined ? [] : Number(quotaBytes)))
    return {
      id,
      kind: same.find(({ kind }) => kind !== '')?.kind ?? '',
      partitions: partitions.filter(({ engine }) => engine === id).length,
      usedBytes: used.length === 0 ? null : Math.max(...used),
      quotaBytes: quotas.length === 0 ? null : Math.min(...quotas),
    }
  })
}

function stateOf(process: ProcessState | undefined): Pick<MemberStatus, 'writes' | 'reads' | 'commitHolds'> {
  const commitHolds = process && {
    holds: Number(process.commitHolds),
    seconds: Number(process.commitHoldMs) / 1000,
    expired: Number(process.commitHoldsExpired),
  }
  return {
    writes: gateOf(process?.writes),
    reads: gateOf(process?.reads),
    commitHolds: commitHolds ?? null,
  }
}

function gateOf(gate: AdmissionGateState | undefined): GateStatus | null {
  if (gate === undefined) return null
  const { inFlight, bound, refused } = gate
  return { inFlight: Number(inFlight), bound: Number(bound), refused: Number(refused) }
}

/** The mean of the last seconds; null: nothing is known yet. */
function lately(seconds: readonly number[] | undefined): number | null {
  const last = (seconds ?? []).slice(-RATE_SECONDS)
  return last.length === 0 ? null : last.reduce((sum, count) => sum + count, 0) / last.length
}

function numberOf(count: bigint | undefined): number | null {
  return count === undefined ? null : Number(count)
}

function named(owner: string | undefined): string | null {
  return owner === undefined || owner === '' ? null : owner
}

export function plain(position: Position | undefined): PlainPosition {
  return { bucket: position?.bucket ?? '', key: position?.key ?? '' }
}
