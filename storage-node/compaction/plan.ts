import { COMPACTION_LIVE_PERCENT_MAX, COMPACTION_LIVE_PERCENT_MAX_FULL } from '../../core/limits.ts'
import { needsTombstones } from '../index/plan.ts'
import type { SegmentUse } from '../index/shard-index.ts'
import { SEGMENT_HEADER_BYTES } from '../segment/format.ts'

/** A segment to write anew. */
export interface Victim {
  readonly segment: number
  /** What has to be written: records of live shards, and tombstones that are needed. */
  readonly copyBytes: number
  /** What comes back beyond that, once it is removed. */
  readonly gainBytes: number
}

export interface VictimOptions {
  /** Segments before this one are sealed, and known whole to the index. */
  readonly before: number
  /** The node takes no puts, for want of room: a smaller gain is worth it, and the cheapest comes first. */
  readonly full: boolean
  /** Bytes that may be written. */
  readonly roomBytes: number
  /** Segments to leave alone. */
  readonly skip: (use: SegmentUse) => boolean
}

/**
 * The segment to compact next: the one with the most bytes to gain, of those of which little enough is needed; undefined
 * when there is none. Those that hold nothing anyone needs are not among them: see deadSegments.
 */
export function chooseVictim(uses: Iterable<SegmentUse>, options: VictimOptions): Victim | undefined {
  const { before, full, roomBytes, skip } = options
  const percent = full ? COMPACTION_LIVE_PERCENT_MAX_FULL : COMPACTION_LIVE_PERCENT_MAX
  const sorted = [...uses].toSorted((a, b) => a.segment - b.segment)
  const victims = sorted
    .filter((use) => use.segment < before && !skip(use))
    .map((use) => victimOf(use, oldestBut(sorted, use.segment)))
    .filter(({ copyBytes, gainBytes }) => {
      const total = copyBytes + gainBytes
      return copyBytes > 0 && copyBytes * 100 < percent * total && copyBytes <= roomBytes
    })
  const better = (a: Victim, b: Victim): boolean =>
    full ? a.copyBytes < b.copyBytes : a.gainBytes > b.gainBytes
  let best: Victim | undefined
  for (const victim of victims) if (best === undefined || better(victim, best)) best = victim
  return best
}

/** The lowest number of the segments, in order, that are not `segment`; Infinity when there is none. */
export function oldestBut(sorted: readonly SegmentUse[], segment: number): number {
  const [first, second] = sorted
  return (first?.segment === segment ? second?.segment : first?.segment) ?? Infinity
}

function victimOf(use: SegmentUse, oldestOther: number): Victim {
  const tombstones = needsTombstones(use, oldestOther) ? use.tombstoneBytes : 0
  const copyBytes = use.liveRecordBytes + tombstones
  return { segment: use.segment, copyBytes, gainBytes: use.end - SEGMENT_HEADER_BYTES - copyBytes }
}
