/** The cluster as this process sees it: looked at every second, and at once when a node says that the map is old. */

import { CLUSTER_FIRST_WAIT_MS, CLUSTER_POLL_MS } from '../../core/limits.ts'
import type { ClusterMap, NodeLiveness } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'

/** One look, made ready for whoever uses it. Immutable. */
export interface ClusterLook {
  readonly epoch: number
  readonly map: ClusterMap
}

export interface ClusterWatchOptions<Look extends ClusterLook> {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
  /** Makes a look of what metadata answered; `known` is the one before, whose map is the same object if it did not change. */
  readonly see: (map: ClusterMap, nodes: readonly NodeLiveness[], known: Look | undefined) => Look
}

export class ClusterWatch<Look extends ClusterLook> {
  readonly #options: ClusterWatchOptions<Look>
  readonly #closing = new AbortController()
  readonly #listeners: ((look: Look) => void)[] = []
  #current: Look | undefined
  #refreshing: Promise<void> | undefined
  #cancelPoll: (() => void) | undefined
  #failing = false

  constructor(options: ClusterWatchOptions<Look>) {
    this.#options = options
    this.#poll()
  }

  /** The last look; `undefined` until the first succeeded. While metadata is out of reach, it grows old. */
  get current(): Look | undefined {
    return this.#current
  }

  /** Called after each look, and at once if there was one. */
  onLook(listener: (look: Look) => void): void {
    this.#listeners.push(listener)
    if (this.#current !== undefined) listener(this.#current)
  }

  /** The last look, waiting for the first for as long as it takes. @throws the signal's reason */
  async view(signal: AbortSignal): Promise<Look> {
    while (this.#current === undefined) {
      signal.throwIfAborted()
      await this.refresh()
      if (this.#current === undefined) await this.#options.clock.sleep(CLUSTER_POLL_MS, signal)
    }
    return this.#current
  }

  /** The last look, waiting CLUSTER_FIRST_WAIT_MS for the first; `undefined` when there is none by then, or none any more. */
  async soon(): Promise<Look | undefined> {
    const { clock } = this.#options
    const deadline = clock.monotonicMs() + CLUSTER_FIRST_WAIT_MS
    while (this.#current === undefined) {
      if (clock.monotonicMs() >= deadline || this.#closing.signal.aborted) return undefined
      await this.refresh()
      if (this.#current === undefined) await clock.sleep(CLUSTER_POLL_MS / 10)
    }
    return this.#current
  }

  /** A map newer than `epoch` if there is one: from the last look, or from a new one. Never rejects. */
  async newerThan(epoch: number): Promise<Look | undefined> {
    if (this.#current === undefined || this.#current.epoch <= epoch) await this.refresh()
    return this.#current
  }

  /** Looks again; callers at the same time share one look. Never rejects: without an answer the old look stays. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** Resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#cancelPoll?.()
    await this.#refreshing
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
    const { metadata, clock, log, see } = this.#options
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
      // An answer that was overtaken by a later one, or comes from a metadata server that is behind.
      if (map === undefined || Number(map.epoch) < (known?.epoch ?? 0)) return
      const seen = see(map, reply.nodes, known)
      this.#current = seen
      if (this.#failing) log.info('the cluster map can be had again', { epoch: seen.epoch })
      this.#failing = false
      for (const listener of this.#listeners) listener(seen)
    } catch (error) {
      const news = !this.#failing && !this.#closing.signal.aborted
      if (news) log.warn('the cluster map cannot be had', { error })
      this.#failing = true
    } finally {
      cancel()
      this.#closing.signal.removeEventListener('abort', giveUp)
    }
  }
}
