/** Runs jobs for as long as their leases are this process's. */

import { WORK_LEASE_TTL_MS, WORK_RETRY_MS_MAX, WORK_RETRY_MS_MIN, WORK_TURN_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { Job } from './job.ts'
import { Lease } from './lease.ts'
import { Progress, type ReportInit } from './progress.ts'

export interface RunnerOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly holder: string
}

/** A job as this process sees it. */
export interface JobReport {
  readonly lease: string
  /** It is done here. */
  readonly held: boolean
  /** In a row, that ended it. */
  readonly failures: number
  readonly report: ReportInit
}

export class Runner {
  readonly #options: RunnerOptions
  readonly #closing = new AbortController()
  readonly #runs: readonly JobRun[]
  readonly #ended: Promise<unknown>

  constructor(options: RunnerOptions, jobs: readonly Job[]) {
    this.#options = options
    this.#runs = jobs.map((job) => new JobRun(this.#options, job, this.#closing.signal))
    this.#ended = Promise.all(this.#runs.map((run) => run.ended))
  }

  reports(): JobReport[] {
    return this.#runs.map((run) => run.report())
  }

  /** Begins nothing new, waits for what is under way to stop, and gives the leases back. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the worker is closing'))
    await this.#ended
  }
}

class JobRun {
  /** Never rejects. */
  readonly ended: Promise<void>
  readonly #options: RunnerOptions
  readonly #job: Job
  readonly #closing: AbortSignal
  readonly #progress: Progress
  #held = false
  #failures = 0

  constructor(options: RunnerOptions, job: Job, closing: AbortSignal) {
    this.#options = options
    this.#job = job
    this.#closing = closing
    this.#progress = new Progress(job.kind, options.clock)
    this.ended = this.#run()
  }

  report(): JobReport {
    const { lease } = this.#job
    return { lease, held: this.#held, failures: this.#failures, report: this.#progress.report() }
  }

  async #run(): Promise<void> {
    while (!this.#closing.aborted) {
      const pauseMs = await this.#turn()
      await this.#options.clock.sleep(pauseMs, this.#closing).catch(() => undefined)
    }
  }

  /** One term of the lease, if it can be had. Resolves to when to try again. Never rejects. */
  async #turn(): Promise<number> {
    const { log, clock } = this.#options
    const name = this.#job.lease
    let lease: Lease | undefined
    try {
      const report = (): ReportInit => this.#progress.report()
      lease = await Lease.acquire({ ...this.#options, name, report }, this.#closing)
    } catch (error) {
      if (!this.#closing.aborted) log.debug('a lease cannot be asked for', { lease: name, error })
    }
    if (lease === undefined) return this.#jittered(WORK_LEASE_TTL_MS / 3)
    this.#held = true
    const signal = AbortSignal.any([this.#closing, lease.lost])
    try {
      await this.#work(signal, clock.monotonicMs() + this.#jittered(WORK_TURN_MS))
      // Others have their turn.
      return this.#jittered(WORK_LEASE_TTL_MS)
    } catch (error) {
      if (this.#closing.aborted) return 0
      if (lease.lost.aborted) {
        log.warn('a lease was lost', { lease: name, error: lease.lost.reason })
        return this.#jittered(WORK_LEASE_TTL_MS / 3)
      }
      this.#failures++
      const pauseMs = Math.min(WORK_RETRY_MS_MAX, WORK_RETRY_MS_MIN * 2 ** (this.#failures - 1))
      log.error('background work failed', { lease: name, failures: this.#failures, pauseMs, error })
      return this.#jittered(pauseMs)
    } finally {
      this.#held = false
      this.#progress.idle()
      await lease.release()
    }
  }

  async #work(signal: AbortSignal, until: number): Promise<void> {
    const { clock } = this.#options
    const rounds = this.#job.open({ signal, progress: this.#progress })
    while (clock.monotonicMs() < until) {
      const waitMs = await rounds.round()
      this.#failures = 0
      await clock.sleep(waitMs, signal)
    }
  }

  /** Between half and one and a half of it, so that processes do not ask in step. */
  #jittered(ms: number): number {
    const [byte = 0] = this.#options.random.bytes(1)
    return ms * (0.5 + byte / 256)
  }
}
