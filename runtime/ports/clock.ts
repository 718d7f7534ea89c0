/** Time as the code sees it; simulated in tests. */
export interface Clock {
  /** Unix time in milliseconds, an integer. May jump. */
  nowMs(): number
  /** Milliseconds from an arbitrary start, never backwards; for measuring spans. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms`; the result cancels it. Does not keep the process alive. */
  after(ms: number, run: () => void): () => void
}
