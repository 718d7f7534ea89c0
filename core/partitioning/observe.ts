import { comparePositions } from '../keyspace/partitions.ts'
import { PARTITION_IDLE_WEIGHT_PERCENT } from '../limits.ts'
import type { LoadRates } from './load.ts'
import type { PartitionReport, PartitionSettings, PartitionView } from './view.ts'

/** A partition as the policy has followed it. */
export interface Observed {
  readonly view: PartitionView
  /** Undefined: none, or none that says enough yet. */
  readonly report: PartitionReport | undefined
  /** When the policy first saw the range as it is. */
  readonly rangeSinceMs: number
  /** When it first saw the owner, of this partition or of what it was cut from. */
  readonly ownerSinceMs: number
  /** Share of what a partition takes before it splits, by writes and reads together; and something for being there. */
  readonly weight: number
}

const IDLE_WEIGHT = PARTITION_IDLE_WEIGHT_PERCENT / 100

/**
 * Follows the map. What is new or changed takes its weight and its owner's age from what covered its range before, until
 * its own rates tell: right after a change they say nothing, and would call each half of a hot partition idle.
 */
export function observe(
  partitions: readonly PartitionView[],
  reports: ReadonlyMap<number, PartitionReport>,
  before: ReadonlyMap<number, Observed>,
  settings: PartitionSettings,
  nowMs: number,
): Map<number, Observed> {
  const observed = new Map<number, Observed>()
  for (const view of partitions) {
    const known = before.get(view.id)
    const same = known !== undefined && sameRange(known.view, view) ? known : undefined
    const ancestors = same === undefined ? overlapping(before, view) : [same]
    const rangeSinceMs = same?.rangeSinceMs ?? nowMs
    const ownerSinceMs = ownerSince(ancestors, view, nowMs)
    const report = reports.get(view.id)
    const settled = nowMs - Math.max(rangeSinceMs, ownerSinceMs) >= settings.settleMs
    const telling = report !== undefined && secondsOf(report.rates) >= settings.sustainedSeconds && settled
    const weight = telling
      ? IDLE_WEIGHT + loadOf(report.rates, settings)
      : inherited(same, ancestors, partitions)
    const seen = { view, report: telling ? report : undefined, rangeSinceMs, ownerSinceMs, weight }
    observed.set(view.id, seen)
  }
  return observed
}

/** Mean of a rate over the seconds known; 0 without any. */
export function meanOf(rate: readonly number[]): number {
  return rate.length === 0 ? 0 : rate.reduce((sum, count) => sum + count, 0) / rate.length
}

function loadOf({ writes, reads }: LoadRates, settings: PartitionSettings): number {
  return meanOf(writes) / settings.writesPerSecond + meanOf(reads) / settings.readsPerSecond
}

function secondsOf({ writes, reads }: LoadRates): number {
  return Math.min(writes.length, reads.length)
}

function ownerSince(ancestors: readonly Observed[], { owner }: PartitionView, nowMs: number): number {
  const ages = ancestors.map((one) => (one.view.owner === owner ? one.ownerSinceMs : nowMs))
  return ages.length === 0 ? nowMs : Math.max(...ages)
}

/** What each partition before gave to those that now lie in its range, in equal parts. */
function inherited(
  same: Observed | undefined,
  ancestors: readonly Observed[],
  partitions: readonly PartitionView[],
): number {
  if (same !== undefined) return same.weight
  let load = 0
  for (const ancestor of ancestors) {
    const heirs = partitions.filter((partition) => overlap(partition, ancestor.view)).length
    load += Math.max(0, ancestor.weight - IDLE_WEIGHT) / Math.max(1, heirs)
  }
  return IDLE_WEIGHT + load
}

function overlapping(before: ReadonlyMap<number, Observed>, view: PartitionView): Observed[] {
  return [...before.values()].filter((one) => overlap(one.view, view))
}

type Range = Pick<PartitionView, 'start' | 'end'>

function sameRange(a: Range, b: Range): boolean {
  if (comparePositions(a.start, b.start) !== 0) return false
  if (a.end === undefined || b.end === undefined) return a.end === b.end
  return comparePositions(a.end, b.end) === 0
}

function overlap(a: Range, b: Range): boolean {
  return startsBeforeEnd(a, b) && startsBeforeEnd(b, a)
}

function startsBeforeEnd({ start }: Range, { end }: Range): boolean {
  return end === undefined || comparePositions(start, end) < 0
}
