import { SIGNAL_REPEAT_MS } from '../../core/limits.ts'
import type { Clock } from '../ports/clock.ts'

/** As much of `process` as signals need. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown
}

/**
 * The first SIGTERM or SIGINT asks to stop in order, the next to stop at once. One Ctrl-C under npm arrives twice (from
 * the terminal and from npm), so a repetition within SIGNAL_REPEAT_MS is the same request.
 * @returns stops listening
 */
export function onStopSignals(
  source: SignalSource,
  clock: Clock,
  stop: { readonly inOrder: () => void; readonly atOnce: () => void },
): () => void {
  let firstMs: number | undefined
  function listener(): void {
    const nowMs = clock.monotonicMs()
    if (firstMs === undefined) {
      firstMs = nowMs
      stop.inOrder()
    } else if (nowMs - firstMs > SIGNAL_REPEAT_MS) {
      stop.atOnce()
    }
  }
  source.on('SIGTERM', listener)
  source.on('SIGINT', listener)
  return () => {
    source.off('SIGTERM', listener)
    source.off('SIGINT', listener)
  }
}
