/** One window of one shard, from whichever of its nodes has it, verified. */

import { SHARD_BLOCK_BYTES, SHARD_GET_TIMEOUT_MS, STALE_MAP_RETRIES_MAX } from '../../core/limits.ts'
import { relocatedTo } from '../../core/placement/relocation.ts'
import { ShardError, type GetShard, type ShardBlocks } from '../../proto/shard-transport.ts'
import { afterAwake } from '../../runtime/clock/after-awake.ts'
import { firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { Scope } from '../scope.ts'
import { hintOf, locations, type Blob } from './blob-location.ts'

/** Bytes `[start, end)` of a shard. */
export interface Window {
  readonly start: number
  readonly end: number
}

/** What the nodes that were asked said instead of giving the shard. */
interface Faults {
  corrupt: boolean
  missing: boolean
  /** One of them gave no answer, or one that says nothing of the shard. */
  silent: boolean
}

export class ShardFetch {
  readonly window: Window
  /** The window's bytes. Rejects with the last node's ShardError. */
  readonly bytes: Promise<Uint8Array>
  /** The node asked now, or last. */
  node = ''
  readonly #environment: Environment
  readonly #blob: Blob
  readonly #stripe: { readonly index: number; readonly shardBytes: number }
  readonly #shard: number
  readonly #scope: Scope
  #cancelled = false
  #cancelAttempt: (() => void) | undefined

  constructor(
    environment: Environment,
    scope: Scope,
    blob: Blob,
    stripe: { readonly index: number; readonly shardBytes: number },
    shard: number,
    window: Window,
  ) {
    this.#environment = environment
    this.#scope = scope
    this.#blob = blob
    this.#stripe = stripe
    this.#shard = shard
    this.window = window
    this.bytes = this.#run()
    // Whoever no longer needs it does not look; that is no unhandled rejection.
    this.bytes.catch(() => undefined)
  }

  covers({ start, end }: Window): boolean {
    return this.window.start <= start && this.window.end >= end
  }

  /** No longer needed. Harmless once it is there. */
  cancel(): void {
    this.#cancelled = true
    this.#cancelAttempt?.()
  }

  async #run(): Promise<Uint8Array> {
    const { cluster, suspicion } = this.#environment
    let snapshot = cluster.current ?? (await cluster.ready('unreadable'))
    let stale = 0
    let last: ShardError | undefined
    let faults: Faults | undefined
    const asked = new Set<string>()
    for (;;) {
      const left = this.#locations(snapshot).filter((node) => !asked.has(node))
      // Those that should answer first; the others too, in the end: a lease may have been lost and the node be well.
      const node =
        left.find((id) => snapshot.nodes.get(id)?.up === true && !suspicion.suspects(id, 'read')) ?? left[0]
      if (node === undefined) {
        this.#tell(faults)
        throw last ?? new ShardError('not-found', `no node has shard ${this.#shard}`)
      }
      this.node = node
      this.#scope.throwIfAborted()
      if (this.#cancelled) throw new ShardError('aborted', 'no longer needed')
      try {
        return await this.#attempt(node, snapshot.epoch)
      } catch (error) {
        this.#scope.throwIfAborted()
        if (this.#cancelled) throw error
        last = error instanceof ShardError ? error : new ShardError('unavailable', 'failed', { cause: error })
        const isStale = last.code === 'stale-map'
        if (isStale && stale < STALE_MAP_RETRIES_MAX) {
          stale++
          snapshot = (await cluster.newerThan(snapshot.epoch)) ?? snapshot
        } else {
          asked.add(node)
          faults ??= { corrupt: false, missing: false, silent: false }
          const up = snapshot.nodes.get(node)?.up === true
          if (up && last.code === 'corrupt') faults.corrupt = true
          else if (up && last.code === 'not-found') faults.missing = true
          else faults.silent = true
        }
      }
    }
  }

  /**
   * That no node gave the shard is told to metadata where it needs repair for sure. A node that is silent may have it; and
   * what its record says was put elsewhere, or nowhere, is owed a repair already.
   */
  #tell(faults: Faults | undefined): void {
    if (faults === undefined) return
    const { relocations } = this.#blob
    const missing =
      faults.missing &&
      !faults.silent &&
      relocatedTo(relocations, this.#shard, this.#stripe.index) === undefined
    if (faults.corrupt || missing) this.#environment.reports.report(this.#blob.id, () => hintOf(this.#blob))
  }

  #locations(snapshot: ClusterSnapshot): string[] {
    return locations(snapshot, this.#blob, this.#stripe.index, this.#shard)
  }

  #attempt(node: string, epoch: number): Promise<Uint8Array> {
    const { shards, clock, suspicion, hedging, backgroundReads } = this.#environment
    const { start, end } = this.window
    const { group, id: blob } = this.#blob
    const address = { group, blob, stripe: this.#stripe.index, shard: this.#shard }
    const whole = start === 0 && end === this.#stripe.shardBytes
    const request: GetShard = {
      address,
      epoch,
      ...(whole ? {} : { range: { start, end } }),
      ...(backgroundReads ? { background: true } : {}),
    }
    return new Promise((resolve, reject) => {
      const began = clock.monotonicMs()
      const controller = new AbortController()
      const settle = (): void => {
        cancelTimer()
        cancelAbort()
        this.#cancelAttempt = undefined
      }
      const giveUp = (error: Error): void => {
        settle()
        reject(error)
        controller.abort()
      }
      const cancelTimer = afterAwake(clock, SHARD_GET_TIMEOUT_MS, () => {
        suspicion.failed(node, 'read')
        giveUp(new ShardError('unavailable', `node ${node} gave no shard in ${SHARD_GET_TIMEOUT_MS} ms`))
      })
      const cancelAbort = this.#scope.onAbort(() => {
        giveUp(this.#scope.reason ?? new Error('aborted'))
      })
      this.#cancelAttempt = () => {
        giveUp(new ShardError('aborted', 'no longer needed'))
      }
      shards
        .node(node)
        .get(request, controller.signal)
        .then(
          (blocks) => {
            if (controller.signal.aborted) return
            settle()
            suspicion.succeeded(node, 'read')
            hedging.observe(clock.monotonicMs() - began)
            try {
              resolve(verified(blocks, this.window, this.#stripe.shardBytes))
            } catch (error) {
              this.#environment.log.warn('a shard came damaged', { node, ...address })
              reject(error instanceof Error ? error : new Error('unverifiable', { cause: error }))
            }
          },
          (error: unknown) => {
            if (controller.signal.aborted) return
            settle()
            if (error instanceof ShardError && error.code === 'unavailable') suspicion.failed(node, 'read')
            reject(error instanceof Error ? error : new ShardError('unavailable', 'failed', { cause: error }))
          },
        )
    })
  }
}

/** The window's bytes, once they are proven to be what was written. @throws {ShardError} `corrupt` */
function verified(blocks: ShardBlocks, { start, end }: Window, shardBytes: number): Uint8Array {
  const { offset, data, checksums } = blocks
  const fits =
    blocks.shardBytes === shardBytes &&
    offset % SHARD_BLOCK_BYTES === 0 &&
    offset <= start &&
    offset + data.byteLength >= end &&
    offset + data.byteLength <= shardBytes
  if (!fits) {
    throw new ShardError(
      'corrupt',
      `got ${data.byteLength} bytes at ${offset} of a shard of ${blocks.shardBytes}, wanted [${start}, ${end}) of ${shardBytes}`,
    )
  }
  const bad = firstBadBlock(data, checksums)
  if (bad >= 0) throw new ShardError('corrupt', `block ${bad} differs from its checksum`)
  return data.subarray(start - offset, end - offset)
}

/** Whole blocks around a window: what a node reads and sends anyway, and what reconstruction works on. */
export function aligned({ start, end }: Window, shardBytes: number): Window {
  return {
    start: Math.floor(start / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES,
    end: Math.min(shardBytes, Math.ceil(end / SHARD_BLOCK_BYTES) * SHARD_BLOCK_BYTES),
  }
}
