import { DISK_RESERVE_BYTES, DISK_RESERVE_SHARE_LEFT } from '../../core/limits.ts'
import { isDiskFull } from '../../runtime/disk/errno.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Disk } from '../../runtime/ports/disk.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { messageOf } from '../calls.ts'
import type { SegmentLog } from '../segment/log.ts'
import { IndexRefusal } from '../segment/refusals.ts'
import { Attempts } from './attempts.ts'

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
  #stuck = false
  readonly #attempts: Attempts
  #looking: Promise<void> | undefined

  constructor(ports: WritabilityPorts) {
    this.#ports = ports
    this.#reserveBytes = ports.reserveBytes ?? DISK_RESERVE_BYTES
    this.#attempts = new Attempts(ports.clock)
  }

  /** It takes no puts, for want of room. */
  get full(): boolean {
    return this.#full
  }

  /**
   * All but the index would take writes again: what was not durable is cut off the log, and there is room. It takes nothing
   * any more once a write of it has failed, until it is opened anew.
   */
  get stuck(): boolean {
    return this.#stuck
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
    if (failure === undefined) {
      this.#stuck = false
    } else if (isDiskFull(failure.error) && freeBytes < this.#leastBytes) {
      this.#stuck = false
    } else if (this.#attempts.isDue()) {
      await this.#probe()
    }
  }

  async #probe(): Promise<void> {
    const { log, segments } = this.#ports
    try {
      await segments.reopen()
      this.#stuck = false
      log.info('the disk takes writes again')
    } catch (error) {
      this.#stuck = error instanceof IndexRefusal
      const nextAttemptMs = this.#attempts.waitMs
      log.warn('the disk still takes no writes', { error: messageOf(error), nextAttemptMs })
    }
  }

  get #leastBytes(): number {
    return this.#reserveBytes * DISK_RESERVE_SHARE_LEFT
  }
}
