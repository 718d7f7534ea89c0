import type { Engine, EngineBatch } from '../../../metadata/engine/engine.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { SimulatedClock } from '../../../store/testing/simulated-clock.ts'

/** What becomes of a commit. Those that fail tell nothing of it: `before` is not made, `after` is, `late` is `lateMs` later. */
export type Fault = 'none' | 'before' | 'after' | 'late'

/** Time on the way to the engine, and back. */
const ENGINE_MS = 0.5

/**
 * A process as the world treats it. Paused, as by SIGSTOP: no timer of it runs, and nothing that it waits for reaches it, while its
 * monotonic time goes on and what it has sent goes its way. Dead: it never goes on.
 */
export class SimulatedProcess {
  state: 'up' | 'paused' | 'dead' = 'up'
  /** False: its engine fails it. */
  reachesEngine = true
  /** What becomes of its next commits. */
  fault: (batch: EngineBatch) => Fault = () => 'none'
  lateMs = 700
  /** Time on the way to the engine, and back, on top. */
  engineDelay: () => number = () => 0
  /** The same of a commit, on the way there. */
  commitDelayMs = 0
  /** Until it hears that a key it watches was written. */
  watchDelayMs = 1
  readonly clock: Clock
  readonly #world: SimulatedClock
  #resumed: PromiseWithResolvers<undefined> | undefined

  constructor(world: SimulatedClock) {
    this.#world = world
    this.clock = {
      nowMs: () => world.nowMs(),
      monotonicMs: () => world.monotonicMs(),
      after: (ms, run) => this.#after(ms, run),
      sleep: async (ms, signal) => {
        await world.sleep(ms, signal)
        await this.running()
      },
    }
  }

  pause(): void {
    if (this.state !== 'up') return
    this.state = 'paused'
    this.#resumed ??= Promise.withResolvers()
  }

  resume(): void {
    if (this.state !== 'paused') return
    this.state = 'up'
    this.#resumed?.resolve(undefined)
    this.#resumed = undefined
  }

  kill(): void {
    this.state = 'dead'
    // Never resolved: what waits for it is gone.
    this.#resumed ??= Promise.withResolvers()
  }

  async running(): Promise<void> {
    while (this.#resumed !== undefined) await this.#resumed.promise
  }

  /** The engine that all share, as this process reaches it. */
  view(engine: Engine): Engine {
    return {
      limits: engine.limits,
      get: (key) => this.#ask(() => engine.get(key)),
      scan: (request) => this.#ask(() => engine.scan(request)),
      scanTogether: (requests) => this.#ask(() => engine.scanTogether(requests)),
      estimate: (range) => this.#ask(() => engine.estimate(range)),
      openSnapshot: () => this.#ask(() => engine.openSnapshot()),
      watch: (key, changed) =>
        engine.watch(key, () => {
          this.clock.after(this.watchDelayMs, changed)
        }),
      commit: (batch) => this.#ask(() => this.#commit(engine, batch)),
      // The others have it.
      close: async () => undefined,
    }
  }

  async #commit(engine: Engine, batch: EngineBatch): Promise<void> {
    const fault = this.fault(batch)
    if (this.commitDelayMs > 0) await this.#world.sleep(this.commitDelayMs)
    if (fault === 'before') throw new Error('the engine failed before the commit')
    if (fault === 'late') {
      this.#world.after(this.lateMs, () => {
        engine.commit(batch).catch(() => undefined)
      })
      throw new Error('the engine failed while the commit was on its way')
    }
    await engine.commit(batch)
    if (fault === 'after') throw new Error('the engine failed after the commit')
  }

  async #ask<T>(run: () => Promise<T>): Promise<T> {
    await this.running()
    await this.#world.sleep(ENGINE_MS + this.engineDelay())
    if (!this.reachesEngine) {
      await this.#world.sleep(100)
      await this.running()
      throw new Error('the engine is not reached')
    }
    const [outcome] = await Promise.allSettled([run()])
    await this.#world.sleep(ENGINE_MS + this.engineDelay())
    await this.running()
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  }

  #after(ms: number, run: () => void): () => void {
    let cancelled = false
    const cancel = this.#world.after(ms, () => {
      if (this.state === 'up') run()
      else {
        void this.running().then(() => {
          if (!cancelled) run()
        })
      }
    })
    return () => {
      cancelled = true
      cancel()
    }
  }
}
