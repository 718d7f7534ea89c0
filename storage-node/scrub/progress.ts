/** Cycles of the scrub: when one begins, what it looks at next, when it is done. */
import type { ScrubStatus } from '../../proto/shard-transport.ts'
import type { ScrubProgress, SegmentUse } from '../index/shard-index.ts'

const DAY_MS = 24 * 60 * 60 * 1000

export const NEVER_SCRUBBED: ScrubProgress = {
  cycle: 0,
  startedMs: 0,
  through: 0,
  done: 0,
  bytesDone: 0,
  completedMs: 0,
  found: 0,
}

/** Whether a cycle has begun and not ended. */
export function isUnderWay({ done, through }: ScrubProgress): boolean {
  return done < through
}

/** Whether the next cycle is to begin: so many days after the last began. */
export function isDue(progress: ScrubProgress, days: number, nowMs: number): boolean {
  const since = nowMs - progress.startedMs
  // A clock that went back must not put the next one off for years.
  return progress.cycle === 0 || since < 0 || since >= days * DAY_MS
}

/** A new cycle over all segments there are; one that is under way is given up. */
export function begin(progress: ScrubProgress, uses: Iterable<SegmentUse>, nowMs: number): ScrubProgress {
  let through = 0
  for (const { segment } of uses) through = Math.max(through, segment)
  const begun = { ...progress, cycle: progress.cycle + 1, startedMs: nowMs, through, done: 0, bytesDone: 0 }
  return through === 0 ? { ...begun, completedMs: nowMs } : begun
}

/** The segment to look at next; undefined when the cycle is through. */
export function nextSegment(
  { done, through }: ScrubProgress,
  uses: Iterable<SegmentUse>,
): number | undefined {
  let next: number | undefined
  for (const { segment } of uses) {
    if (segment > done && segment <= through && (next === undefined || segment < next)) next = segment
  }
  return next
}

/** After `segment` was looked at; undefined: there is none left. */
export function after(
  progress: ScrubProgress,
  segment: number | undefined,
  { bytes, found, nowMs }: { readonly bytes: number; readonly found: number; readonly nowMs: number },
): ScrubProgress {
  const done = segment ?? progress.through
  const ended = done >= progress.through
  return {
    ...progress,
    done,
    bytesDone: progress.bytesDone + bytes,
    found: progress.found + found,
    completedMs: ended ? nowMs : progress.completedMs,
  }
}

/** @param reading bytes read of the segment that is being looked at */
export function statusOf(progress: ScrubProgress, uses: Iterable<SegmentUse>, reading: number): ScrubStatus {
  let left = 0
  for (const { segment, end } of uses) {
    if (segment > progress.done && segment <= progress.through) left += end
  }
  const { cycle, startedMs, bytesDone, completedMs, found } = progress
  return {
    cycle,
    cycleStartedMs: startedMs,
    bytesDone: bytesDone + Math.min(reading, left),
    bytesTotal: bytesDone + left,
    lastCompletedMs: completedMs,
    found,
  }
}
