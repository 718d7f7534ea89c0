/** The first `count` of many fetches. */

import type { Environment } from '../environment.ts'

export interface GatherRequest {
  readonly count: number
  /** Shards to fetch from, in order of preference. */
  readonly candidates: readonly number[]
  /** Starts, or shares, the fetch of a shard. */
  fetch(shard: number): Promise<Uint8Array>
}

/** Too few of the candidates could be had. */
class TooFew extends Error {
  override readonly name = 'TooFew'
}

/**
 * Fetches the first `count` candidates and goes on to the next for each that fails, and for one that is late when the
 * hedge delay passes without enough. Resolves to the first `count` that came, by shard.
 *
 * @throws {TooFew} with the last failure as its cause
 */
export function gather(environment: Environment, request: GatherRequest): Promise<Map<number, Uint8Array>> {
  const { clock, hedging } = environment
  const { count, candidates } = request
  return new Promise((resolve, reject) => {
    const got = new Map<number, Uint8Array>()
    let next = 0
    let pending = 0
    let done = false
    let cancelTimer = (): void => undefined
    const launch = (): void => {
      const shard = candidates[next]
      if (shard === undefined) return
      next++
      pending++
      request.fetch(shard).then(
        (bytes) => {
          pending--
          if (done) return
          got.set(shard, bytes)
          if (got.size === count) finish()
        },
        (error: unknown) => {
          pending--
          if (done) return
          launch()
          if (got.size + pending < count) fail(error)
        },
      )
    }
    const finish = (): void => {
      done = true
      cancelTimer()
      resolve(got)
    }
    const fail = (cause: unknown): void => {
      done = true
      cancelTimer()
      reject(new TooFew(`${got.size} of the ${count} shards needed could be had`, { cause }))
    }
    const watch = (): void => {
      cancelTimer = clock.after(hedging.delayMs, () => {
        if (hedging.spend()) launch()
        watch()
      })
    }
    if (candidates.length < count) {
      fail(undefined)
      return
    }
    watch()
    for (let i = 0; i < count; i++) launch()
  })
}
