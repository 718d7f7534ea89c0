import { onStopSignals } from '../../runtime/shutdown/signals.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { EXIT_FAILURE } from '../failure.ts'

/** When this process should end. */
export interface StopRequest {
  /** Aborted at the first signal, or when the process that started this one is gone. */
  readonly signal: AbortSignal
  /** Resolves when it is. */
  readonly requested: Promise<void>
}

/** Listens for the reasons to end. A second signal ends the process at once. */
export function listenForStop(clock: Clock): StopRequest {
  const controller = new AbortController()
  const { signal } = controller
  const requested = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const ask = () => {
    controller.abort(new Error('asked to stop'))
  }
  onStopSignals(process, clock, {
    inOrder: ask,
    atOnce: () => process.exit(EXIT_FAILURE),
  })
  // Only a service that `ashlar start --separate` started has this channel. Its end means that nobody watches over the
  // cluster any more; one that was started by hand goes on.
  if (process.connected) process.once('disconnect', ask)
  return { signal, requested }
}
