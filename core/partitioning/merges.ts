import { MERGE_LOAD_PERCENT, MERGE_SIZE_PERCENT } from '../limits.ts'
import type { Placement } from './balance.ts'
import { meanOf, type Observed } from './observe.ts'
import type { PartitionReport, PartitionSettings, Proposal } from './view.ts'

export interface MergeInput {
  /** In order. */
  readonly observed: ReadonlyMap<number, Observed>
  readonly placement: Placement
  readonly settings: PartitionSettings
  readonly nowMs: number
  readonly taken: Set<number>
  /** As of the decision before. */
  readonly coldSince: ReadonlyMap<string, number>
  readonly mayMove: () => boolean
}

/**
 * Merges neighbours that have been cold, and whose ranges have not changed, for long. Where two nodes serve them, the right
 * one moves to the left one's first; balance leaves both alone.
 * @returns since when which neighbours have been cold
 */
export function mergesOf(
  { observed, placement, settings, nowMs, taken, coldSince, mayMove }: MergeInput,
  propose: (proposal: Proposal) => void,
): Map<string, number> {
  const stillCold = new Map<string, number>()
  const all = [...observed.values()]
  for (const [index, left] of all.entries()) {
    const right = all[index + 1]
    if (right === undefined || left.view.engine !== right.view.engine) continue
    const name = `${left.view.id}:${right.view.id}`
    const cold = coldTogether(left, right, settings)
    const since = coldSince.get(name) ?? (cold === true ? nowMs : undefined)
    if (since === undefined || cold === false) continue
    stillCold.set(name, since)
    const unchangedSince = Math.max(since, left.rangeSinceMs, right.rangeSinceMs)
    if (nowMs - unchangedSince < settings.mergeColdMs) continue
    if (taken.has(left.view.id) || taken.has(right.view.id)) continue
    taken.add(left.view.id).add(right.view.id)
    if (cold === undefined) continue
    const { owner } = left.view
    if (owner === undefined || !placement.accepts(owner, left.view.engine)) continue
    if (right.view.owner === owner) {
      propose({ kind: 'merge', left: left.view.id, right: right.view.id })
    } else if (mayMove()) {
      propose({ kind: 'move', partition: right.view.id, to: owner, reason: 'merge' })
      placement.move(right.view.id, owner)
    }
  }
  return stillCold
}

/** Undefined: one of them has not been served for long enough, since it was moved, to tell. */
function coldTogether(left: Observed, right: Observed, settings: PartitionSettings): boolean | undefined {
  if (left.report === undefined || right.report === undefined) return undefined
  const both = [left.report, right.report]
  const sum = (of: (report: PartitionReport) => number): number =>
    both.reduce((total, one) => total + of(one), 0)
  const load = MERGE_LOAD_PERCENT / 100
  const size = MERGE_SIZE_PERCENT / 100
  return (
    sum(({ rates }) => meanOf(rates.writes)) <= load * settings.writesPerSecond &&
    sum(({ rates }) => meanOf(rates.reads)) <= load * settings.readsPerSecond &&
    sum(({ entries }) => entries ?? 0) <= size * settings.entries &&
    sum(({ bytes }) => bytes ?? 0) <= size * settings.bytes
  )
}
