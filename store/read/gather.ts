/** Enough of many fetches. */

import type { Environment } from '../environment.ts'

export interface GatherRequest {
  /** Shards to fetch from, in order of preference. */
  readonly candidates: readonly number[]
  /**
   * Those that it takes, of what there is; `undefined` when all together are too few.
   *
   * @param got shards that have come
   * @param coming shards on their way, which cost nothing more
   * @param others shards that could be asked for
   */
  choose(
    got: readonly number[],
    coming: readonly number[],
    others: readonly number[],
  ): readonly number[] | undefined
  /** Starts, or shares, the fetch of a shard. */
  fetch(shard: number): Promise<Uint8Array>
}

/** Too few of the candidates could be had. */
class TooFew extends Error {
  override readonly name = 'TooFew'
}

/**
 * Fetches what is chosen of the candidates, and chooses again without those that fail; and without one that is late, each time
 * the hedge delay passes. Resolves, by shard, to what has come when that suffices.
 *
 * @throws {TooFew} with the last failure as its cause
 */
export function gather(environment: Environment, request: GatherRequest): Promise<Map<number, Uint8Array>> {
  const { clock, hedging } = environment
  const { candidates } = request
  return new Promise((resolve, reject) => {
    const got = new Map<number, Uint8Array>()
    /** In the order in which they were asked for. */
    const pending = new Set<number>()
    const failed = new Set<number>()
    /** Of the pending, those that are no longer counted on. */
    const late = new Set<number>()
    let done = false
    let cancelTimer = (): void => undefined
    /** Asks for what lacks; false when there is no use. */
    const launch = (countedOn: readonly number[]): boolean => {
      const others = candidates.filter(
        (shard) => !got.has(shard) && !pending.has(shard) && !failed.has(shard),
      )
      const chosen = request.choose([...got.keys()], countedOn, others)
      for (const shard of chosen ?? []) if (others.includes(shard)) start(shard)
      return chosen !== undefined
    }
    const inTime = (): number[] => [...pending].filter((shard) => !late.has(shard))
    const start = (shard: number): void => {
      pending.add(shard)
      request.fetch(shard).then(
        (bytes) => {
          pending.delete(shard)
          if (done) return
          got.set(shard, bytes)
          if (request.choose([...got.keys()], [], []) !== undefined) finish()
        },
        (error: unknown) => {
          pending.delete(shard)
          failed.add(shard)
          if (done) return
          if (!launch(inTime()) && !launch([...pending])) fail(error)
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
      reject(new TooFew(`only ${got.size} shards could be had`, { cause }))
    }
    const watch = (): void => {
      cancelTimer = clock.after(hedging.delayMs, () => {
        if (hedging.spend()) {
          const [slowest] = inTime()
          if (slowest !== undefined) late.add(slowest)
          launch(inTime())
        }
        watch()
      })
    }
    watch()
    if (!launch([])) fail(undefined)
  })
}
