/** Something to time: `once` does the work a whole number of times in one go. */
export interface Contestant {
  readonly once: () => void
  /** The most runs of it: for what is too slow to be run as often as the rest. */
  readonly roundsMax?: number
}

/**
 * The least seconds one `once` of each contestant takes: the best of `rounds`, the contestants in turn, so that a busy
 * machine or a change of clock speed meets all of them alike.
 */
export function bestOf(contestants: readonly Contestant[], rounds: number): number[] {
  const best = contestants.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round < rounds; round++) {
    for (const [i, { once, roundsMax }] of contestants.entries()) {
      if (round >= (roundsMax ?? rounds)) continue
      const start = process.hrtime.bigint()
      once()
      const seconds = Number(process.hrtime.bigint() - start) / 1e9
      best[i] = Math.min(best[i] ?? seconds, seconds)
    }
  }
  return best
}
