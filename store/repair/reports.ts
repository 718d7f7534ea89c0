/**
 * What readers found damaged, told to metadata in the background so that it is repaired before somebody needs it more. A
 * hint, no more: what is not told, because metadata is away or too much was found at once, scrub and the passes over the
 * groups find later.
 */

import {
  METADATA_REQUEST_TIMEOUT_MS,
  REPAIR_HINT_QUIET_MS,
  REPAIR_HINT_SEND_MS,
  REPAIR_HINTS_QUEUED_MAX,
  REPAIR_HINTS_TOLD_MAX,
  REPAIR_REQUESTS_MAX,
} from '../../core/limits.ts'
import type { MetadataApi, MetadataRequestInit } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'

export type RepairHint = NonNullable<MetadataRequestInit<'requestRepair'>['tasks']>[number]

export interface RepairReportsOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export class RepairReports {
  readonly #options: RepairReportsOptions
  /** By blob. */
  readonly #queued = new Map<string, RepairHint>()
  /** Monotonic milliseconds until which a blob is not told of again; the oldest first. */
  readonly #told = new Map<string, number>()
  readonly #closing = new AbortController()
  #cancelTimer: (() => void) | undefined
  #sending: Promise<void> | undefined

  constructor(options: RepairReportsOptions) {
    this.#options = options
  }

  /** Costs nothing to call again and again; `hint` is asked only when it is news. */
  report(blob: string, hint: () => RepairHint): void {
    if (this.#closing.signal.aborted || this.#queued.size >= REPAIR_HINTS_QUEUED_MAX) return
    const now = this.#options.clock.monotonicMs()
    if ((this.#told.get(blob) ?? now) > now) return
    this.#told.delete(blob)
    this.#told.set(blob, now + REPAIR_HINT_QUIET_MS)
    if (this.#told.size > REPAIR_HINTS_TOLD_MAX) {
      const [oldest] = this.#told.keys()
      if (oldest !== undefined) this.#told.delete(oldest)
    }
    this.#queued.set(blob, hint())
    if (this.#sending === undefined) this.#sendLater()
  }

  /** What is not yet told is dropped. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#cancelTimer?.()
    this.#queued.clear()
    await this.#sending
  }

  #sendLater(): void {
    this.#cancelTimer ??= this.#options.clock.after(REPAIR_HINT_SEND_MS, () => {
      this.#cancelTimer = undefined
      this.#sending = this.#send().finally(() => {
        this.#sending = undefined
        if (this.#queued.size > 0) this.#sendLater()
      })
    })
  }

  async #send(): Promise<void> {
    const { metadata, clock, log } = this.#options
    const batch = [...this.#queued].slice(0, REPAIR_REQUESTS_MAX)
    for (const [blob] of batch) this.#queued.delete(blob)
    const request = new AbortController()
    const giveUp = (): void => {
      request.abort(new Error('given up'))
    }
    const cancel = clock.after(METADATA_REQUEST_TIMEOUT_MS, giveUp)
    this.#closing.signal.addEventListener('abort', giveUp)
    try {
      await metadata.call('requestRepair', { tasks: batch.map(([, hint]) => hint) }, request.signal)
    } catch (error) {
      log.debug('what readers found damaged was not told', { blobs: batch.length, error })
      for (const [blob] of batch) this.#told.delete(blob)
    } finally {
      cancel()
      this.#closing.signal.removeEventListener('abort', giveUp)
    }
  }
}
