import type { Clock } from '../ports/clock.ts'

const SLICES = 4

/**
 * As {@link Clock.after}, but in time that this process had: when it stood still (stopped, out of CPU, in a long computation),
 * that counts for a quarter of `ms` at most. Timers come before sockets when it goes on, and what arrived meanwhile is to
 * be heard before it is called late. For judgements on others, not for spans that somebody was promised.
 */
export function afterAwake(clock: Clock, ms: number, run: () => void): () => void {
  let left = SLICES
  let cancel = clock.after(ms / SLICES, slice)
  function slice(): void {
    left--
    if (left === 0) run()
    else cancel = clock.after(ms / SLICES, slice)
  }
  return () => {
    cancel()
  }
}
