import { SCRUB_IDLE_MS } from '../../core/limits.ts'
import type { ScrubStatus } from '../../proto/shard-transport.ts'
import { messageOf } from '../calls.ts'
import type { Foreground } from '../give-way.ts'
import { IndexDamage, type ScrubProgress } from '../index/shard-index.ts'
import { Pace, scrubRate } from './pace.ts'
import { Reader, type ScrubPorts } from './ports.ts'
import { after, begin, isDue, isUnderWay, NEVER_SCRUBBED, nextSegment, statusOf } from './progress.ts'
import { scrubSegment } from './segment.ts'

export interface ScrubberPorts extends ScrubPorts, Foreground {}

/**
 * Reads every shard of the node again and again, so that what rots is found while the others of its stripe are there. A
 * cycle goes through the segments in order; how far it is lies in the index, so that a restart costs one segment at most.
 */
export class Scrubber {
  readonly #ports: ScrubberPorts
  readonly #days: number
  readonly #pace: Pace
  #progress: ScrubProgress
  /** Bytes read of the segment that is being looked at. */
  #reading = 0
  /** Callers of {@link now}: while there are any, nothing is paced. */
  #urgent = 0
  /** One segment at a time. */
  #turn: Promise<unknown> = Promise.resolve()
  readonly #ending = new AbortController()
  #wake = new AbortController()
  #running: Promise<void> | undefined

  /**
   * @param progress as it lies in the index
   * @param days within which a cycle should end; 0: none begins by itself
   */
  constructor(ports: ScrubberPorts, progress: ScrubProgress | undefined, days: number) {
    this.#ports = ports
    this.#progress = progress ?? NEVER_SCRUBBED
    this.#days = days
    this.#pace = new Pace({
      clock: ports.clock,
      load: () => ports.load(),
      rate: () => this.#rate(),
      hurry: () => this.#wake.signal,
    })
  }

  status(): ScrubStatus {
    return statusOf(this.#progress, this.#ports.writer.uses.values(), this.#reading)
  }

  /** Begins to scrub, if there is a schedule. */
  start(): void {
    if (this.#days > 0) this.#running ??= this.#run()
  }

  /** Runs a whole cycle, as fast as it goes. @throws the signal's reason, and as the index */
  async now(signal: AbortSignal = this.#ending.signal): Promise<ScrubStatus> {
    this.#urgent++
    // Whoever waits for the pace of the cycle under way goes on at once.
    this.#wake.abort()
    const ending = AbortSignal.any([signal, this.#ending.signal])
    try {
      await this.#inTurn(() => this.#begin())
      const { cycle } = this.#progress
      while (isUnderWay(this.#progress) && this.#progress.cycle === cycle) await this.#step(ending)
      return this.status()
    } finally {
      this.#urgent--
    }
  }

  /** Looks at one segment out of turn, of which something is known to be wrong. @throws as the index */
  async look(segment: number): Promise<void> {
    this.#urgent++
    this.#wake.abort()
    const { signal } = this.#ending
    try {
      await this.#inTurn(async () => {
        signal.throwIfAborted()
        await scrubSegment(this.#ports, segment, new Reader(this.#pace, signal))
      })
    } finally {
      this.#urgent--
    }
  }

  /** Stops where it is. */
  async close(): Promise<void> {
    this.#ending.abort()
    await this.#running
    await this.#turn
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#ports
    const { signal } = this.#ending
    while (!signal.aborted) {
      try {
        if (isUnderWay(this.#progress)) await this.#step(signal)
        else if (isDue(this.#progress, this.#days, clock.nowMs())) await this.#inTurn(() => this.#begin())
        else await clock.sleep(SCRUB_IDLE_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof IndexDamage) await this.#ports.condemn(error)
        log.warn('the scrub was interrupted, and goes on later', { error: messageOf(error) })
        await clock.sleep(SCRUB_IDLE_MS, signal).catch(() => undefined)
      }
    }
  }

  async #begin(): Promise<void> {
    const { writer, clock } = this.#ports
    await this.#save(begin(this.#progress, writer.uses.values(), clock.nowMs()))
  }

  /** Looks at the next segment of the cycle. */
  #step(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (!isUnderWay(this.#progress)) return
      const { clock, writer, log } = this.#ports
      signal.throwIfAborted()
      const segment = nextSegment(this.#progress, writer.uses.values())
      const bytes = segment === undefined ? 0 : (writer.uses.get(segment)?.end ?? 0)
      let found = 0
      try {
        if (segment !== undefined) {
          if (this.#urgent === 0) this.#wake = new AbortController()
          const reader = new Reader(this.#pace, signal, (more) => {
            this.#reading += more
          })
          found = await scrubSegment(this.#ports, segment, reader)
          await reader.end()
        }
        const progress = after(this.#progress, segment, {
          bytes,
          found,
          nowMs: clock.nowMs(),
        })
        await this.#save(progress)
        if (!isUnderWay(progress)) log.info('scrubbed all segments', { ...this.status() })
      } finally {
        this.#reading = 0
      }
    })
  }

  async #save(progress: ScrubProgress): Promise<void> {
    const { live, writer } = this.#ports
    await live.settled(() => writer.saveScrub(progress))
    this.#progress = progress
  }

  /** Bytes a second. */
  #rate(): number {
    if (this.#urgent > 0) return Infinity
    return scrubRate(this.#ports.writer.totals().usedBytes, this.#days)
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(action)
    this.#turn = done.catch(() => undefined)
    return done
  }
}

/** Where the last run was, as the index has it: nowhere when that cannot be read. @throws as the index */
export async function progressIn({
  index,
  log,
}: Pick<ScrubPorts, 'index' | 'log'>): Promise<ScrubProgress | undefined> {
  try {
    return await index.scrubProgress()
  } catch (error) {
    if (!(error instanceof IndexDamage)) throw error
    log.warn('the progress of the scrub is lost', { error: error.message })
    return undefined
  }
}
