/** The cluster as this process sees it: looked at every second, and at once when a node says that the map is old. */

import { CLUSTER_FIRST_WAIT_MS, CLUSTER_POLL_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { StoreErrorCode } from '../api.ts'
import { StoreError } from '../api.ts'
import { ClusterSnapshot } from './snapshot.ts'

export interface ClusterViewOptions {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly log: Log
}

export class ClusterView {
  readonly #options: ClusterViewOptions
  readonly #closing = new AbortController()
  #current: ClusterSnapshot | undefined
  #refreshing: Promise<void> | undefined
  #cancelPoll: (() => void) | undefined
  #failing = false

  constructor(options: ClusterViewOptions) {
    this.#options = options
    this.#poll()
  }

  /** The last look; `undefined` until the first succeeded. While metadata is out of reach, it grows old. */
  get current(): ClusterSnapshot | undefined {
    return this.#current
  }

  /** The last look, waiting for the first. @throws {StoreError} of that code when there is none in time */
  async ready(code: StoreErrorCode): Promise<ClusterSnapshot> {
    const { clock } = this.#options
    const deadline = clock.monotonicMs() + CLUSTER_FIRST_WAIT_MS
    while (this.#current === undefined) {
      if (clock.monotonicMs() >= deadline || this.#closing.signal.aborted) {
        throw new StoreError(code, 'the cluster map cannot be had: metadata is out of reach')
      }
      await this.refresh()
      if (this.#current === undefined) await clock.sleep(CLUSTER_POLL_MS / 10)
    }
    return this.#current
  }

  /** A map newer than `epoch` if there is one: from the last look, or from a new one. Never rejects. */
  async newerThan(epoch: number): Promise<ClusterSnapshot | undefined> {
    if (this.#current === undefined || this.#current.epoch <= epoch) await this.refresh()
    return this.#current
  }

  /** Looks again; callers at the same time share one look. Never rejects: without an answer the old view stays. */
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
      // An answer that was overtaken by a later one, or comes from a metadata server that is behind.
      if (map === undefined || Number(map.epoch) < (known?.epoch ?? 0)) return
      this.#current = new ClusterSnapshot(map, reply.nodes, known)
      if (this.#failing) log.info('the cluster map can be had again', { epoch: this.#current.epoch })
      this.#failing = false
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
