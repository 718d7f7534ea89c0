import { PARTITIONS_MAX, SPLIT_SUSTAINED_PERCENT } from '../limits.ts'
import type { Observed } from './observe.ts'
import type { Obstacle, PartitionReport, PartitionSettings, Proposal } from './view.ts'

type Propose = (proposal: Proposal, ...ids: readonly number[]) => void

/** Splits what has been hot for long enough, or is too large. */
export function splitsOf(
  observed: ReadonlyMap<number, Observed>,
  settings: PartitionSettings,
  nowMs: number,
  taken: ReadonlySet<number>,
  propose: Propose,
  obstacles: Obstacle[],
): void {
  let room = PARTITIONS_MAX - observed.size
  for (const [partition, { report, rangeSinceMs }] of observed) {
    if (report === undefined || taken.has(partition) || nowMs - rangeSinceMs < settings.settleMs) continue
    const trigger = triggerOf(report, settings)
    if (trigger === undefined) continue
    const obstacle = room <= 0 ? 'too-many-partitions' : obstacleOf(report, trigger)
    if (obstacle !== undefined) {
      obstacles.push({ partition, reason: obstacle })
      continue
    }
    room--
    propose(
      { kind: 'split', partition, trigger, at: trigger === 'size' ? undefined : report.split.at },
      partition,
    )
  }
}

type Trigger = Extract<Proposal, { kind: 'split' }>['trigger']

function triggerOf(report: PartitionReport, settings: PartitionSettings): Trigger | undefined {
  const { rates, split } = report
  const hot = sustained(rates.writes, settings.writesPerSecond, settings)
    ? 'writes'
    : sustained(rates.reads, settings.readsPerSecond, settings)
      ? 'reads'
      : undefined
  const large = (report.entries ?? 0) >= settings.entries || (report.bytes ?? 0) >= settings.bytes
  // What is hot by one key may still be too large.
  return large && (hot === undefined || split.at === undefined) ? 'size' : hot
}

function obstacleOf(
  { split, indivisible }: PartitionReport,
  trigger: Trigger,
): Obstacle['reason'] | undefined {
  if (trigger === 'size') return indivisible === true ? 'indivisible' : undefined
  return split.at === undefined ? split.reason : undefined
}

function sustained(
  rate: readonly number[],
  threshold: number,
  { sustainedSeconds }: PartitionSettings,
): boolean {
  const hot = rate.slice(-sustainedSeconds).filter((count) => count >= threshold).length
  return hot * 100 >= sustainedSeconds * SPLIT_SUSTAINED_PERCENT
}
