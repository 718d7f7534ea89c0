/** A lease on a job: got, renewed, lost, given back. */

import { WORK_LEASE_TTL_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { ReportInit } from './progress.ts'

export interface LeaseOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly name: string
  /** Of this process, unlike that of any other, or of an earlier one. */
  readonly holder: string
  /** Sent with each renewal. */
  readonly report: () => ReportInit
}

export class Lease {
  readonly #options: LeaseOptions
  readonly #lost = new AbortController()
  /** Monotonic time until which it is surely ours: counted from when the request was sent. */
  #heldUntil: number
  #cancel: (() => void) | undefined
  #renewing: Promise<void> | undefined
  #released = false

  private constructor(options: LeaseOptions, heldUntil: number) {
    this.#options = options
    this.#heldUntil = heldUntil
    this.#schedule()
  }

  /** The lease, or `undefined` while another holds it. @throws {MetadataError} */
  static async acquire(options: LeaseOptions, signal?: AbortSignal): Promise<Lease | undefined> {
    const { metadata, clock, name, holder, report } = options
    const heldUntil = clock.monotonicMs() + WORK_LEASE_TTL_MS
    const request = { name, holder, ttlMs: WORK_LEASE_TTL_MS, report: report() }
    const { held } = await metadata.call('keepLease', request, signal)
    return held ? new Lease(options, heldUntil) : undefined
  }

  /** Aborted when another may have it. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Gives it back, so that nobody need wait for its end. Never rejects. */
  async release(): Promise<void> {
    this.#released = true
    this.#cancel?.()
    await this.#renewing
    if (this.#lost.signal.aborted) return
    const { metadata, clock, name, holder } = this.#options
    const giveUp = new AbortController()
    const cancel = clock.after(WORK_LEASE_TTL_MS, () => {
      giveUp.abort()
    })
    try {
      await metadata.call('keepLease', { name, holder, ttlMs: 0 }, giveUp.signal)
    } catch {
      // It ends by itself.
    } finally {
      cancel()
    }
  }

  #schedule(): void {
    if (this.#released) return
    this.#cancel = this.#options.clock.after(WORK_LEASE_TTL_MS / 3, () => {
      this.#renewing = this.#renew().then(() => {
        this.#renewing = undefined
        if (!this.#lost.signal.aborted) this.#schedule()
      })
    })
  }

  async #renew(): Promise<void> {
    const { metadata, clock, name, holder, report } = this.#options
    const sent = clock.monotonicMs()
    const giveUp = new AbortController()
    const cancel = clock.after(Math.max(0, this.#heldUntil - sent), () => {
      giveUp.abort()
    })
    try {
      const request = { name, holder, ttlMs: WORK_LEASE_TTL_MS, report: report() }
      const { held, holder: other } = await metadata.call('keepLease', request, giveUp.signal)
      if (held) this.#heldUntil = sent + WORK_LEASE_TTL_MS
      else this.#lost.abort(new Error(`the lease ${name} is held by ${other === '' ? 'nobody' : other}`))
    } catch {
      // Metadata may be back before the lease ends.
    } finally {
      cancel()
    }
    if (clock.monotonicMs() >= this.#heldUntil) {
      this.#lost.abort(new Error(`the lease ${name} could not be renewed`))
    }
  }
}
