import { holds, type PartitionRange } from '../../../core/keyspace/partitions.ts'
import type { Recorder } from '../../linearizability/recorder.ts'

interface Death {
  /** As `performance.now()`. */
  readonly atMs: number
  /** What the process owned. */
  readonly ranges: readonly PartitionRange[]
}

/** From the death of a process to the first write that succeeded in each range that it owned, as clients saw it. */
export class FailoverTimes {
  readonly #deaths: Death[] = []

  died(ranges: readonly PartitionRange[]): void {
    this.#deaths.push({ atMs: performance.now(), ranges })
  }

  /** @returns the shortest, the median and the longest, in one line; writes alone count, since reads may have begun to be answered before */
  summary(recorders: readonly Recorder[]): string {
    const times = this.#deaths
      .flatMap(({ atMs, ranges }) => ranges.flatMap((range) => firstAfter(recorders, range, atMs) ?? []))
      .sort((one, other) => one - other)
    if (times.length === 0) return 'no range of a killed process was written to'
    const at = (share: number): string =>
      `${Math.round(times[Math.floor(share * (times.length - 1))] ?? 0)} ms`
    return `${times.length} ranges of killed processes were written to again after ${at(0)} to ${at(1)}, half of them within ${at(0.5)}`
  }
}

function firstAfter(recorders: readonly Recorder[], range: PartitionRange, atMs: number): number | undefined {
  let first: number | undefined
  for (const { bucket, operations } of recorders) {
    for (const { key, invoked, responded, action } of operations) {
      if (action.kind !== 'write' || invoked < atMs || responded === Infinity) continue
      if (!holds(range, { bucket, key })) continue
      if (first === undefined || responded - atMs < first) first = responded - atMs
    }
  }
  return first
}
