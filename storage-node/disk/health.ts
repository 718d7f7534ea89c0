import {
  DISK_HUNG_SYNC_MS,
  DISK_READ_ERROR_AGE_MS,
  DISK_SLOW_SYNC_MS,
  DISK_SYNC_AGE_MS,
  DISK_SYNCS_MIN,
  DISK_SYNCS_REMEMBERED,
} from '../../core/limits.ts'

interface Sync {
  readonly endMs: number
  readonly tookMs: number
}

/** What syncs and reads of late say of a disk. Times are of a clock that never goes back; nothing else is asked. */
export class DiskHealth {
  #syncs: Sync[] = []
  /** Starts of the syncs under way, by the order in which they began. */
  readonly #running = new Map<number, number>()
  #begun = 0
  #readErrors: number[] = []
  #slow = false

  /** @returns what {@link endSync} is to be told */
  beginSync(nowMs: number): number {
    this.#running.set(++this.#begun, nowMs)
    return this.#begun
  }

  endSync(sync: number, nowMs: number): void {
    const start = this.#running.get(sync)
    if (start === undefined) return
    this.#running.delete(sync)
    this.#syncs.push({ endMs: nowMs, tookMs: nowMs - start })
    if (this.#syncs.length > DISK_SYNCS_REMEMBERED) this.#syncs.shift()
  }

  readFailed(nowMs: number): void {
    this.#readErrors.push(nowMs)
    // Their number is told, but not remembered for ever.
    if (this.#readErrors.length > DISK_SYNCS_REMEMBERED) this.#readErrors.shift()
  }

  /** Why the disk is not to be relied on; empty when it is. */
  reason(nowMs: number): string {
    this.#syncs = this.#syncs.filter(({ endMs }) => endMs > nowMs - DISK_SYNC_AGE_MS)
    this.#readErrors = this.#readErrors.filter((at) => at > nowMs - DISK_READ_ERROR_AGE_MS)
    const hung = this.#longest(nowMs)
    const median = this.#median()
    // Half of it to be taken for healthy again, so that a node does not flutter at the edge.
    this.#slow = median >= (this.#slow ? DISK_SLOW_SYNC_MS / 2 : DISK_SLOW_SYNC_MS)
    const errors = this.#readErrors.length
    return [
      ...(hung >= DISK_HUNG_SYNC_MS ? [`a sync of the disk took ${seconds(hung)} s`] : []),
      ...(this.#slow ? [`the disk is slow: half of its syncs take ${seconds(median)} s or more`] : []),
      ...(errors > 0
        ? [`the disk gave ${errors === 1 ? 'a read error' : `${errors} read errors`} of late`]
        : []),
    ].join('; ')
  }

  /** The longest sync of late, or under way. */
  #longest(nowMs: number): number {
    const running = [...this.#running.values()].map((start) => nowMs - start)
    return Math.max(0, ...running, ...this.#syncs.map(({ tookMs }) => tookMs))
  }

  /** 0 when too few are known to say. */
  #median(): number {
    if (this.#syncs.length < DISK_SYNCS_MIN) return 0
    const sorted = this.#syncs.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1)
}
