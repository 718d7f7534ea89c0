/** Looks at the cluster every second, and tells those who want to know of each look. */

import { CLUSTER_FIRST_WAIT_MS, CLUSTER_POLL_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { WorkView } from './view.ts'

export interface WatchOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export class ClusterWatch {
  readonly #options: WatchOptions
  readonly #closing = new AbortController()
  readonly #listeners: ((view: WorkView) => void)[] = []
  #current: WorkView | undefined
  #looking: Promise<void> | undefined
  #cancelPoll: (() => void) | undefined
  #failing = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#poll()
  }

  /** Called after each look, and at once if there was one. */
  onLook(listener: (view: WorkView) => void): void {
    this.#listeners.push(listener)
    if (this.#current !== undefined) listener(this.#current)
  }

  /** The last look, waiting for the first. @throws the signal's reason */
  async view(signal: AbortSignal): Promise<WorkView> {
    while (this.#current === undefined) {
      signal.throwIfAborted()
      await this.refresh()
      if (this.#current === undefined) await this.#options.clock.sleep(CLUSTER_POLL_MS, signal)
    }
    return this.#current
  }

  /** A look newer than that epoch if there is one; callers at the same time share one. */
  async newerThan(epoch: number, signal: AbortSignal): Promise<WorkView> {
    if (this.#current === undefined || this.#current.epoch <= epoch) await this.refresh()
    return await this.view(signal)
  }

  /** Looks again. Never rejects: without an answer the old view stays. */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#cancelPoll?.()
    await this.#looking
  }

  #poll(): void {
    void this.refresh().then(() => {
      if (this.#closing.signal.aborted) return
      this.#cancelPoll = this.#options.clock.after(CLUSTER_POLL_MS, () => {
        this.#poll()
      })
    })
  }

  async #look(): Promise<void> {
    const { metadata, clock, log } = this.#options
    const known = this.#current
    const look = new AbortController()
    const giveUp = (): void => {
      look.abort(new Error('no answer about the cluster'))
    }
    const cancel = clock.after(CLUSTER_FIRST_WAIT_MS, giveUp)
    this.#closing.signal.addEventListener('abort', giveUp)
    try {
      const reply = await metadata.call('getCluster', { knownEpoch: BigInt(known?.epoch ?? 0) }, look.signal)
      const map = reply.map ?? known?.map
      if (map === undefined || Number(map.epoch) < (known?.epoch ?? 0)) return
      const view = new WorkView(map, reply.nodes, known)
      this.#current = view
      this.#failing = false
      for (const listener of this.#listeners) listener(view)
    } catch (error) {
      const news = !this.#failing && !this.#closing.signal.aborted
      if (news) log.warn('the cluster cannot be looked at', { error })
      this.#failing = true
    } finally {
      cancel()
      this.#closing.signal.removeEventListener('abort', giveUp)
    }
  }
}
