import {
  DISK_RESERVE_BYTES,
  DISK_RESERVE_SHARE_LEFT,
  READ_ONLY_PROBE_MS,
  READ_ONLY_PROBE_MS_MAX,
} from '../../core/limits.ts'
import { isDiskFull } from '../../runtime/disk/errno.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Disk } from '../../runtime/ports/disk.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import type { SegmentLog } from '../segment/log.ts'

export interface WritabilityPorts {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly segments: SegmentLog
  /** Instead of DISK_RESERVE_BYTES. */
  readonly reserveBytes?: number | undefined
}

/**
 * Whether a node takes writes. Puts stop where the reserve begins, which tombstones and compaction may use. Once writing has
 * failed, whatever the reason, nothing is written until an attempt to begin a new segment succeeds: the first soon, later ones
 * less and less often, and so too on a disk that fails again and again.
 */
export class Writability {
  readonly #ports: WritabilityPorts
  readonly #reserveBytes: number
  #freeBytes = 0
  #full = false
  #probedAt = -Infinity
  #waitMs = 0
  #looking: Promise<void> | undefined

  constructor(ports: WritabilityPorts) {
    this.#ports = ports
    this.#reserveBytes = ports.reserveBytes ?? DISK_RESERVE_BYTES
  }

  /** It takes no puts, for want of room. */
  get full(): boolean {
    return this.#full
  }

  /** What compaction may write now, leaving a part of the reserve to tombstones and the index. */
  get roomBytes(): number {
    return this.#freeBytes - this.#leastBytes
  }

  /** Why it takes no puts; empty while it does. */
  get reason(): string {
    const { failure } = this.#ports.segments
    if (failure !== undefined) return `writing failed: ${messageOf(failure.error)}`
    return this.#full ? 'the disk is full' : ''
  }

  /** Takes account of bytes that were put, until the next look. */
  spent(bytes: number): void {
    this.#freeBytes -= bytes
    if (this.#freeBytes < this.#reserveBytes) this.#full = true
  }

  /** Looks at the disk again, and tries to write again where that failed. @throws as the disk, when it does not say its room */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const { disk, segments } = this.#ports
    const { freeBytes } = await disk.space()
    this.#freeBytes = freeBytes
    // Twice the reserve to begin again, so that a node does not flutter at the edge.
    this.#full = freeBytes < (this.#full ? 2 * this.#reserveBytes : this.#reserveBytes)
    const { failure } = segments
    if (failure === undefined) return
    if (isDiskFull(failure.error) && freeBytes < this.#leastBytes) return
    await this.#probe()
  }

  async #probe(): Promise<void> {
    const { clock, log, segments } = this.#ports
    const sinceMs = clock.monotonicMs() - this.#probedAt
    if (sinceMs < this.#waitMs) return
    this.#probedAt = clock.monotonicMs()
    // After a long time without failure it begins anew.
    const calm = sinceMs > 2 * READ_ONLY_PROBE_MS_MAX
    this.#waitMs = calm ? READ_ONLY_PROBE_MS : Math.min(2 * this.#waitMs, READ_ONLY_PROBE_MS_MAX)
    try {
      await segments.reopen()
      log.info('the disk takes writes again')
    } catch (error) {
      log.warn('the disk still takes no writes', { error: messageOf(error), nextAttemptMs: this.#waitMs })
    }
  }

  get #leastBytes(): number {
    return this.#reserveBytes * DISK_RESERVE_SHARE_LEFT
  }
}
