/** Calls to a node that end in bounded time whatever the transport does, or with the repair they belong to. */

import { STALE_MAP_RETRIES_MAX } from '../../core/limits.ts'
import { ShardError } from '../../proto/shard-transport.ts'
import type { ClusterSnapshot } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'
import type { Scope } from '../scope.ts'

export interface Attempt<T> {
  /** Rejects with ShardError, `unavailable` after the time given, or with the scope's reason. */
  readonly result: Promise<T>
  /** Resolves when the transport has let go of what it was given. */
  readonly settled: Promise<void>
}

export function attempt<T>(
  { clock }: Environment,
  scope: Scope,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Attempt<T> {
  const controller = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const giveUp = (error: Error): void => {
    reject(error)
    controller.abort()
  }
  const cancelTimer = clock.after(timeoutMs, () => {
    giveUp(new ShardError('unavailable', `no answer in ${timeoutMs} ms`))
  })
  const cancelAbort = scope.onAbort(() => {
    giveUp(scope.reason ?? new Error('aborted'))
  })
  const running = scope.reason === undefined ? call(controller.signal) : promise
  const settled = running.then(resolve, (error: unknown) => {
    reject(error instanceof ShardError ? error : new ShardError('unavailable', 'failed', { cause: error }))
  })
  const result = promise.finally(() => {
    cancelTimer()
    cancelAbort()
  })
  result.catch(() => undefined)
  return { result, settled }
}

/**
 * Runs a call by the epoch given, and again by newer ones for as long as the node knows newer ones still.
 * @param stands whether the call is still to be made by that newer map
 */
export async function withNewestMap<T>(
  { cluster }: Environment,
  epoch: number,
  stands: (newer: ClusterSnapshot) => boolean,
  call: (epoch: number) => Promise<T>,
): Promise<T> {
  let current = epoch
  for (let stale = 0; ; stale++) {
    try {
      return await call(current)
    } catch (error) {
      const again = error instanceof ShardError && error.code === 'stale-map' && stale < STALE_MAP_RETRIES_MAX
      const newer = again ? await cluster.newerThan(current) : undefined
      if (newer === undefined || newer.epoch <= current || !stands(newer)) throw error
      current = newer.epoch
    }
  }
}
