import { SCRUB_RATE_MAX, SCRUB_RATE_MIN } from '../../core/limits.ts'
import { type Foreground, giveWay } from '../give-way.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Of the days that a cycle may take, what it is planned for: the rest is for restarts. */
const SHARE_OF_DAYS = 0.8

/** Bytes a second at which all of `usedBytes` is read within the days, in bounds. */
export function scrubRate(usedBytes: number, days: number): number {
  const rate = usedBytes / ((days * SHARE_OF_DAYS * DAY_MS) / 1000)
  return Math.min(SCRUB_RATE_MAX, Math.max(SCRUB_RATE_MIN, rate))
}

export interface PacePorts extends Foreground {
  /** Bytes a second now; Infinity: as fast as it goes, whatever else is to be done. */
  rate(): number
  /** Aborted when whoever waits is to look at the rate again. */
  hurry(): AbortSignal
}

/**
 * Keeps a reader to its rate, and lets the node's requests go first: while there are any it stands still, but at most for
 * as long again as the bytes take at that rate. So a node that is never idle is read at half of it.
 */
export class Pace {
  readonly #ports: PacePorts
  #dueMs = -Infinity

  constructor(ports: PacePorts) {
    this.#ports = ports
  }

  /** Resolves when reading may go on after `bytes` more were read. @throws the signal's reason */
  async took(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const ports = this.#ports
    const { clock } = ports
    const rate = ports.rate()
    if (rate === Infinity) return
    const wakes = AbortSignal.any([signal, ports.hurry()])
    /** False when it was woken early. */
    const sleep = async (ms: number): Promise<boolean> => {
      const slept = await clock.sleep(ms, wakes).then(
        () => true,
        () => false,
      )
      signal.throwIfAborted()
      return slept
    }
    const cost = (bytes / rate) * 1000
    const now = clock.monotonicMs()
    // What took longer than it had to is not made up for.
    this.#dueMs = Math.max(now, this.#dueMs + cost)
    if (this.#dueMs > now && !(await sleep(this.#dueMs - now))) return
    if (!(await giveWay(ports, clock.monotonicMs() + cost, sleep))) return
    this.#dueMs = Math.max(this.#dueMs, clock.monotonicMs())
  }
}
