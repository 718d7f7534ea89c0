import { LOAD_REPORT_MS, PARTITION_SIZE_LOOK_MS } from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Engine } from '../engine/engine.ts'
import { estimatePartition, loadOf } from '../host/load-of.ts'
import type { OwnedPartition } from '../host/owned.ts'
import type { Peers } from '../host/peers.ts'
import type { PoolRules } from '../host/pool-rules.ts'
import type { OwnState } from './own-state.ts'

export interface ReporterOptions {
  readonly self: string
  readonly state: OwnState
  /** No other process can have the root. */
  readonly alone: boolean
  /** Who has the root; empty: nobody. */
  readonly coordinator: () => string
  readonly served: () => readonly OwnedPartition[]
  /** Of a partition that is served. */
  readonly engineOf: (partition: number) => Engine
  readonly peers: Peers
  readonly rules: PoolRules
  readonly clock: Clock
  readonly log: Log
}

/** Measures the partitions of this process, tells the coordinator what they do, and goes by what it says of the cluster. */
export class Reporter {
  readonly #options: ReporterOptions
  #cancelReport: (() => void) | undefined
  #cancelMeasure: (() => void) | undefined
  #closed = false

  constructor(options: ReporterOptions) {
    this.#options = options
  }

  start(): void {
    void this.#options.state.measure()
    this.#measureLater()
    if (!this.#options.alone) void this.#report()
  }

  close(): void {
    this.#closed = true
    this.#cancelReport?.()
    this.#cancelMeasure?.()
  }

  #measureLater(): void {
    if (this.#closed) return
    this.#cancelMeasure = this.#options.clock.after(PARTITION_SIZE_LOOK_MS, () => {
      void this.#measure()
    })
  }

  async #measure(): Promise<void> {
    const { served, engineOf, state, log } = this.#options
    try {
      await state.measure()
      for (const owned of served()) owned.size = await estimatePartition(engineOf(owned.range.id), owned)
    } catch (error) {
      log.debug('a partition could not be measured', { error })
    }
    this.#measureLater()
  }

  async #report(): Promise<void> {
    const { self, state, coordinator, served, peers, rules, clock, log } = this.#options
    const owner = coordinator()
    try {
      if (owner !== '' && owner !== self) {
        const loads = served().map((owned) => loadOf(owned))
        const { epoch, closedPools } = rules
        const report = { node: self, loads, epoch, closedPools: [...closedPools], process: state.message }
        rules.told(await peers.call(owner, 'reportLoad', report))
      }
    } catch (error) {
      log.debug('the coordinator does not take the report', { coordinator: owner, error })
    }
    if (this.#closed) return
    this.#cancelReport = clock.after(LOAD_REPORT_MS, () => {
      void this.#report()
    })
  }
}
